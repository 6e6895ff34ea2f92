"""Harmless stand-ins for the programs that an install runs. Each refuses what it does not model."""
