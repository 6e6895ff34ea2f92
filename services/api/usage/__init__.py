"""What was used: requests, tokens, money."""
