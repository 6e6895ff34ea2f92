SELECT installation, sequence, mark_sequence, mark_stored_ns FROM webhook_checkpoint;
