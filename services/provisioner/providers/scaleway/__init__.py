"""Scaleway, through its official SDK. Nothing outside this package imports that SDK."""

from typing import Final

from services.provisioner.providers.registration import MakeProvider, ProviderContext, Registration
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from shared.environment import from_environment


def _make(context: ProviderContext) -> MakeProvider:
    return making(from_environment(ScalewaySettings), context)


def making(settings: ScalewaySettings, context: ProviderContext) -> MakeProvider:
    from services.provisioner.providers.scaleway.provider import ScalewayProvider  # noqa: PLC0415  the SDK loads slowly

    return lambda installation: ScalewayProvider(settings, installation, context.call_timeout_s)


REGISTRATION: Final = Registration(
    name="scaleway",
    variables=(
        "SCW_ACCESS_KEY",
        "SCW_SECRET_KEY",
    ),  # one of them means Scaleway; the other is reported as missing
    settings=ScalewaySettings,
    title=lambda _: "Scaleway",
    in_words="SCW_ variables",
    needed="SCW_ACCESS_KEY, SCW_SECRET_KEY and SCW_DEFAULT_PROJECT_ID for Scaleway",
    make=_make,
)
