class NotMirrored(Exception):
    """The model is not in the mirror, or not all of it; the message is a sentence."""
