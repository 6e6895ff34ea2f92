"""Between the clients and the workers: limits, choice, retries, usage."""
