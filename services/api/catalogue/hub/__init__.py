"""The model hub: look-ups, search and caches."""
