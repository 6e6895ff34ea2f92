SELECT min(after_sequence) FROM webhooks;
