"""Organisations, and whose an instance is."""
