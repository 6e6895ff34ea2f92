"""The events as they arrive, and how they are passed on."""
