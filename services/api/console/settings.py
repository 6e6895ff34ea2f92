"""The console's settings."""

from pydantic import PositiveFloat

from shared.settings import ServiceSettings


class ConsoleSettings(ServiceSettings):
    """`session_seconds`: how long a browser stays signed in."""

    session_seconds: PositiveFloat = 43_200.0
    sign_in_link_seconds: PositiveFloat = 600.0
