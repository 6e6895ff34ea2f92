"""Why the journal cannot be read or written now.

JournalUnavailable
└── OnlyForNewer   a newer version has recorded what this one cannot read
"""


class JournalUnavailable(Exception):
    """For a minute, every try of an append met a version conflict, got no answer or was refused."""


class OnlyForNewer(JournalUnavailable):
    """A newer version has recorded the last event so that this one cannot read the instance or deployment after it.

    Nothing is appended by this version, since it would overwrite what it does not understand.
    """
