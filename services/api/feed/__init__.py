"""The events as they come, and how they are told on."""
