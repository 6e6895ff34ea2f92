"""The settings of admission."""

from pydantic import PositiveFloat

from shared.settings import WithHub


class AdmissionSettings(WithHub):
    """`limits_check_seconds`: how often spending limits are checked."""

    projection_wait_seconds: PositiveFloat = 0.5
    journal_timeout_seconds: PositiveFloat = 5.0
    limits_check_seconds: PositiveFloat = 60.0
