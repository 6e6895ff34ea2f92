"""Addresses outside that get events, and what became of each message to them."""
