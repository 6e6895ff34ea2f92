"""What is done on a machine over SSH: the scripts, and how they are handed over."""
