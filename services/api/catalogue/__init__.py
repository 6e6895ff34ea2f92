"""The models: which there are, what a name means, and the hub they come from."""
