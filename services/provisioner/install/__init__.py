"""The scripts that run on a machine over SSH, and how they are sent."""
