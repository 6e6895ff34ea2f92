"""Harmless stand-ins for the programs that an install runs; each refuses what it does not model."""
