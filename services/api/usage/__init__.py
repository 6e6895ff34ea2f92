"""Usage: requests, tokens, money."""
