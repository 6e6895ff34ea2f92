SELECT installation, sequence, mark_sequence, mark_stored_ns FROM checkpoints WHERE projection = $1
