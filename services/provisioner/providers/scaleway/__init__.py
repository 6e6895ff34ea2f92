"""Scaleway, through its official SDK. Nothing outside this package imports that SDK."""

from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings

__all__ = ["ScalewayProvider", "ScalewaySettings"]
