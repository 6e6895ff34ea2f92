"""The pages for people, and our own scripts that keep them up to date from the event stream."""
