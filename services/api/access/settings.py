"""The settings of access."""

from pydantic import PositiveFloat

from shared.admin_key import AdminKey
from shared.settings import WithDatabase, WithMachines


class AccessSettings(WithDatabase, WithMachines):
    """`admin_key`: the administrator's key; if unset, the first start makes one and prints it once.

    `refresh_seconds`: how often keys, organisations and the catalogue are read again without a notification.
    """

    admin_key: AdminKey | None = None
    refresh_seconds: PositiveFloat = 10.0
    database_timeout_seconds: PositiveFloat = 10.0
