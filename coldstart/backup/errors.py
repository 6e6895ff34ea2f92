"""Why nothing was backed up or restored; each message is a sentence for people.

BackupRefused
├── KeyUnusable       the key is missing, or is none
├── BackupUnreadable  the file is no backup, is damaged or truncated, or needs another key or version
└── NotRestored       the place for it is not empty, or a server refused
"""

from coldstart.refusals import Refused


class BackupRefused(Refused):
    """Nothing was changed."""


class KeyUnusable(BackupRefused):
    pass


class BackupUnreadable(BackupRefused):
    pass


class NotRestored(BackupRefused):
    pass
