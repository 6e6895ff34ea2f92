"""Backups of an installation: one encrypted file, made while the stack runs, and restored into an empty place."""
