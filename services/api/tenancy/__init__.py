"""Organisations, and who owns an instance."""
