"""The models: the catalogue, what a name means, and the hub."""
