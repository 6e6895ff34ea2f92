"""What access reads from the environment."""

from pydantic import PositiveFloat

from shared.admin_key import AdminKey
from shared.settings import WithDatabase, WithMachines


class AccessSettings(WithDatabase, WithMachines):
    """`admin_key`: the administrator's key; unset, one is made at the first start and printed once.

    `refresh_seconds`: how often keys, organisations and the catalogue are read again although nobody told of a change.
    """

    admin_key: AdminKey | None = None
    refresh_seconds: PositiveFloat = 10.0
    database_timeout_seconds: PositiveFloat = 10.0
