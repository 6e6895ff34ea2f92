"""Client connections: what is read from them, and how much."""
