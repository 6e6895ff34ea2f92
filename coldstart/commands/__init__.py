"""The commands of `coldstart`, one module a subject."""
