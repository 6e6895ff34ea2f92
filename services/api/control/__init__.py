"""The control API: its routes, its bodies, its problems."""
