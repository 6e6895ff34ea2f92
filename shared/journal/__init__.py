"""The journal of every instance: its stream, its envelope, and how events are appended and read."""
