"""Fills the mirror of models' weights from the hub. It is imported by the command that does it: it loads slowly."""
