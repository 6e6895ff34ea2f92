"""What the command line tells as one line, never as a traceback."""


class Refused(Exception):
    """The message says what happened and what a person can do. Exit status 1."""
