"""Every field that is sent is one that the SDK's type has, and none that it needs is missing."""

import dataclasses
import json
from datetime import datetime
from enum import Enum
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints

import aiohttp
import pytest
from scaleway.account import v3 as account
from scaleway.block import v1 as block
from scaleway.iam import v1alpha1 as iam
from scaleway.instance import v1 as instance
from scaleway.marketplace import v2 as marketplace
from scaleway.product_catalog import v2alpha1 as catalog

from simulator.app import Simulator
from simulator.settings import SimulatorSettings
from tests.simulator.clients import IMAGE, ZONE, Control, Sdk, ask
from tests.simulator.conftest import QUICK
from tests.simulator.test_snapshots import image_of, made, snapshot_of

INSTANCE = f"instance/v1/zones/{ZONE}"


def check(value: Any, expected: Any, at: str) -> None:
    """Walk the JSON beside the type: same names, right kinds, nothing required left out or null."""
    origin = get_origin(expected)
    if origin is Union or (origin is not None and NoneType in get_args(expected)):
        if value is not None:
            (inner,) = [kind for kind in get_args(expected) if kind is not NoneType]
            check(value, inner, at)
    elif origin is list:
        assert isinstance(value, list), at
        for position, item in enumerate(value):
            check(item, get_args(expected)[0], f"{at}[{position}]")
    elif origin is dict:
        assert isinstance(value, dict), at
        for key, item in value.items():
            check(item, get_args(expected)[1], f"{at}[{key}]")
    elif dataclasses.is_dataclass(expected):
        check_fields(value, expected, at)
    else:
        check_plain(value, expected, at)


def check_plain(value: Any, expected: Any, at: str) -> None:
    if expected is datetime:
        datetime.fromisoformat(value)
    elif expected is instance.SecurityGroupRuleProtocol:
        assert value.lower() in [member.value for member in expected], at  # the API writes it in upper case
    elif isinstance(expected, type) and issubclass(expected, Enum):
        assert value in [member.value for member in expected], at
    elif expected is float:
        assert isinstance(value, int | float), at
    else:
        assert isinstance(value, expected), f"{at}: {value!r} is no {expected}"


def check_fields(value: Any, expected: Any, at: str) -> None:
    assert isinstance(value, dict), at
    kinds = get_type_hints(expected)
    fields = {field.name.rstrip("_"): kinds[field.name] for field in dataclasses.fields(expected)}
    assert set(value) == set(fields), f"{at}: {set(value) ^ set(fields)}"
    for name, kind in fields.items():
        check(value[name], kind, f"{at}.{name}")


async def fetched(simulator: Simulator, path: str) -> Any:
    headers = {"X-Auth-Token": simulator.settings.secret_key.get_secret_value()}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{simulator.url}/{path}") as response:
        body = json.loads(await response.read())
        if (count := response.headers.get("X-Total-Count")) is not None:
            body["total_count"] = int(count)
        return body


async def test_a_server_in_every_state_has_exactly_the_sdks_fields(
    simulator: Simulator, sdk: Sdk, control: Control
) -> None:
    await sdk.booted("running")
    await sdk.with_volume("local", commercial_type="DEV1-L", image="ubuntu_noble")
    flexible = (await ask(sdk.instance.create_ip, tags=["kept"])).ip
    assert flexible is not None
    slow = await sdk.with_volume("starting", public_ips=[flexible.id])
    await control("PUT", "scenario", QUICK.model_copy(update={"poweron": 60, "poweroff": 60}))
    await sdk.act((await sdk.with_volume("bare")).id, "poweron")
    await sdk.act(slow.id, "poweron")
    check(await fetched(simulator, f"{INSTANCE}/servers"), instance.ListServersResponse, "servers")
    check(await fetched(simulator, f"{INSTANCE}/servers/{slow.id}"), instance.GetServerResponse, "server")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{INSTANCE}/security_groups", instance.ListSecurityGroupsResponse),
        (f"{INSTANCE}/ips", instance.ListIpsResponse),
        (f"{INSTANCE}/volumes", instance.ListVolumesResponse),
        (f"{INSTANCE}/products/servers", instance.ListServersTypesResponse),
        (f"{INSTANCE}/products/servers/availability", instance.GetServerTypesAvailabilityResponse),
        (f"block/v1/zones/{ZONE}/volumes", block.ListVolumesResponse),
        (f"block/v1/zones/{ZONE}/snapshots", block.ListSnapshotsResponse),
        (f"{INSTANCE}/images", instance.ListImagesResponse),
        ("product-catalog/v2alpha1/public-catalog/products", catalog.ListPublicCatalogProductsResponse),
        ("marketplace/v2/local-images", marketplace.ListLocalImagesResponse),
        (f"iam/v1alpha1/quota?organization_id={SimulatorSettings().organization_id}", iam.ListQuotaResponse),
        (f"account/v3/projects/{SimulatorSettings().project_id}", account.Project),
    ],
)
async def test_a_list_has_exactly_the_sdks_fields(simulator: Simulator, sdk: Sdk, path: str, expected: type) -> None:
    server = await sdk.booted("attached")
    await ask(sdk.instance.create_ip, tags=["free"])
    await sdk.with_volume(commercial_type="DEV1-L", image="ubuntu_noble")
    freed = await sdk.with_volume("freed")
    await ask(sdk.instance.delete_server, server_id=freed.id)
    image = await image_of(sdk, await made(sdk, await snapshot_of(sdk, server)))
    body = await fetched(simulator, path)
    assert next(value for name, value in body.items() if name != "total_count")
    check(body, expected, path)
    assert (server.state, image.state) == ("running", "available")


async def test_an_image_has_exactly_the_sdks_fields(simulator: Simulator) -> None:
    shown = await fetched(simulator, f"{INSTANCE}/images/{IMAGE}")
    check(shown, instance.GetImageResponse, "image")


async def test_a_task_and_rules_have_exactly_the_sdks_fields(simulator: Simulator, sdk: Sdk) -> None:
    server = await sdk.with_volume()
    headers = {"X-Auth-Token": simulator.settings.secret_key.get_secret_value()}
    url = f"{simulator.url}/{INSTANCE}/servers/{server.id}/action"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json={"action": "poweron"}) as response,
    ):
        assert response.status == 202
        check(await response.json(), instance.ServerActionResponse, "task")
    assert server.security_group is not None
    rules = f"{INSTANCE}/security_groups/{server.security_group.id}/rules"
    check(await fetched(simulator, rules), instance.ListSecurityGroupRulesResponse, "rules")
    check(
        await fetched(simulator, f"{INSTANCE}/servers/{server.id}/user_data"), instance.ListServerUserDataResponse, ""
    )
