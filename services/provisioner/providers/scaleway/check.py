"""Asks Scaleway what a launch will need: the key, its project and permissions, the zones, the image and the quota.

Nothing is changed. Whether the key may order servers is asked by an order that is always refused: nobody sells its
type.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from scaleway.iam.v1alpha1 import Quotum

from services.provisioner.provider import ProviderError, TryAgain
from services.provisioner.providers.scaleway.calls import Calls
from services.provisioner.providers.scaleway.errors import DENIED_SAYS, NotThere
from services.provisioner.providers.scaleway.products import Products
from services.provisioner.providers.scaleway.quota import SUBJECT, Sold, quota_check
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.providers.scaleway.tags import OURS
from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import ProviderCheck

NOT_SOLD: Final = "COLDSTART-CHECK"
DENIED: Final = "permission_denied"
WRONG_KEY: Final = "invalid_credentials"
_ORDERED_EVERY_S: Final = 3_600.0
"""Each such order is in the organisation's audit trail."""


class AccountCheck:
    def __init__(self, sdk: Sdk, calls: Calls, products: Products, settings: ScalewaySettings) -> None:
        self._sdk = sdk
        self._calls = calls
        self._products = products
        self._settings = settings
        self._zones = settings.zones_in_order
        self._may_order_until = 0.0

    async def __call__(self) -> tuple[ProviderCheck, ...]:
        """Without a connection or with a wrong key, only that is returned."""
        try:
            await self._calls(self._list_servers, self._zones[0])
        except ProviderError as error:
            if error.code != DENIED:  # that key is accepted, and may not list servers
                return (
                    ProviderCheck.failed("credentials" if error.code == WRONG_KEY else "connection", error.message),
                )
        permissions, (project, organization), (zones, sold) = await asyncio.gather(
            self._permissions(), self._project(), self._sold()
        )
        image, quota = await asyncio.gather(self._image(sold), self._quota(organization, sold))
        credentials = ProviderCheck.passed("credentials", "the API key is accepted")
        return (credentials, project, permissions, zones, *(image if sold else ()), quota)

    async def _permissions(self) -> ProviderCheck:
        asked: dict[str, Callable[[str], None]] = {
            "list servers": self._list_servers,
            "list security groups": self._list_security_groups,
            "list addresses": self._list_addresses,
            "list volumes": self._list_volumes,
            "order servers": self._order_what_nobody_sells,
        }
        errors = await self._errors(asked)
        denied = [what for what, error in errors.items() if error.code == DENIED]
        if denied:
            return ProviderCheck.failed("permissions", f"the key may not {', '.join(denied)}: {DENIED_SAYS}")
        if errors:
            return ProviderCheck.failed("permissions", _in_words(errors))
        return ProviderCheck.passed("permissions", "the key may order servers and list what belongs to them")

    async def _errors(self, asked: Mapping[str, Callable[[str], None]]) -> dict[str, ProviderError]:
        """Of those that failed in the first zone. All are asked at once."""
        errors: dict[str, ProviderError] = {}

        async def one(what: str, ask: Callable[[str], None]) -> None:
            try:
                await self._calls(ask, self._zones[0])
            except ProviderError as error:
                errors[what] = error

        await asyncio.gather(*(one(what, ask) for what, ask in asked.items()))
        return {what: errors[what] for what in asked if what in errors}

    def _list_servers(self, zone: str) -> None:
        self._sdk.instance.list_servers(zone=zone, per_page=1)

    def _list_security_groups(self, zone: str) -> None:
        self._sdk.instance.list_security_groups(zone=zone, per_page=1)

    def _list_addresses(self, zone: str) -> None:
        self._sdk.instance.list_ips(zone=zone, per_page=1)

    def _list_volumes(self, zone: str) -> None:
        self._sdk.block.list_volumes(include_deleted=False, zone=zone, page_size=1)

    def _order_what_nobody_sells(self, zone: str) -> None:
        """Any refusal but that of the key says that the key may order."""
        if time.monotonic() < self._may_order_until:
            return
        try:
            self._sdk.instance.create_server(
                zone=zone, commercial_type=NOT_SOLD, name=NOT_SOLD.lower(), image=self._settings.image, tags=[OURS]
            )
        except ProviderError as error:
            answered = not isinstance(error, TryAgain) or error.had_no_effect
            if error.code in {DENIED, WRONG_KEY} or not answered:
                raise
        self._may_order_until = time.monotonic() + _ORDERED_EVERY_S

    async def _project(self) -> tuple[ProviderCheck, UUID | None]:
        """Also the organisation, whose quotas are read; None if the key may not read the project."""
        given = self._settings.default_organization_id
        try:
            organization = await self._calls(self._organization)
        except NotThere:
            return ProviderCheck.failed("project", "there is no such project: check SCW_DEFAULT_PROJECT_ID"), given
        except ProviderError as error:
            detail = f"only the first order will show whether SCW_DEFAULT_PROJECT_ID is right ({error.message})"
            return ProviderCheck.unknown("project", detail), given
        return ProviderCheck.passed("project", "the project of SCW_DEFAULT_PROJECT_ID exists"), organization

    def _organization(self) -> UUID:
        return UUID(self._sdk.account.get_project().organization_id)

    async def _sold(self) -> tuple[ProviderCheck, Sold]:
        """One zone that cannot be asked is a failure: nobody knows what is still rented there."""
        sold: dict[str, Sequence[InstanceType]] = {}
        errors: dict[str, ProviderError] = {}

        async def one(zone: str) -> None:
            try:
                sold[zone] = await self._calls(self._products.gpu_types, zone)
            except ProviderError as error:
                errors[zone] = error

        await asyncio.gather(*(one(zone) for zone in self._zones))
        if errors:
            return ProviderCheck.failed("zones", _in_words(errors)), {}
        empty = [zone for zone in self._zones if not sold[zone]]
        problem = f"no GPU is sold in {', '.join(empty)}: check SCW_DEFAULT_ZONE and COLDSTART_SCALEWAY_ZONES"
        otherwise = f"GPUs are sold in {', '.join(self._zones)}"
        return ProviderCheck.by_extent("zones", len(empty), len(self._zones), problem, otherwise), sold

    async def _image(self, sold: Sold) -> tuple[ProviderCheck]:
        try:
            asked = (self._calls(self._products.image_boots, zone, types) for zone, types in sold.items())
            boots = await asyncio.gather(*asked)
        except ProviderError as error:
            return (ProviderCheck.failed("image", error.message),)
        missing = [zone for zone, some in zip(sold, boots, strict=True) if not some]
        image = self._settings.image
        problem = f"{image} boots no type with GPUs in {', '.join(missing)}: check COLDSTART_SCALEWAY_IMAGE"
        return (ProviderCheck.by_extent("image", len(missing), len(sold), problem, f"{image} is in every zone"),)

    async def _quota(self, organization: UUID | None, sold: Sold) -> ProviderCheck:
        if organization is None:
            return ProviderCheck.unknown(SUBJECT, "set SCW_DEFAULT_ORGANIZATION_ID to have it read")
        try:
            return quota_check(await self._calls(self._quotas, str(organization)), sold)
        except ProviderError as error:
            return ProviderCheck.unknown(SUBJECT, f"only the first order will show whether it is 0 ({error.message})")

    def _quotas(self, organization: str) -> dict[str, Quotum]:
        def page(number: int) -> tuple[list[Quotum], int]:
            answer = self._sdk.iam.list_quota(organization_id=organization, page=number, page_size=PAGE_SIZE)
            return answer.quota, answer.total_count

        return {quotum.name: quotum for quotum in pages(page)}


def _in_words(errors: Mapping[str, ProviderError]) -> str:
    return "; ".join(f"{what}: {error.message}" for what, error in errors.items())
