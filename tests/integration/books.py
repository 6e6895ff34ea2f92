"""What the journal says that the provider holds, beside what the provider holds."""

from collections.abc import Mapping
from typing import Any

from tests.integration.line import INSTANCE_TAG, Event, Line

ENDED = {"InstanceTerminated", "ResourcesReleased"}
FAILED = ("ProvisioningFailed", "StartupFailed", "InstanceFailed")


def last(events: list[Event]) -> Event:
    """The one of the highest version: a plain subscriber may be told of two publishers' events in either order."""
    return max(events, key=lambda event: event["data"]["instance"]["version"])


async def agrees(running: Line, instance_ids: list[str]) -> None:
    """The account holds what the events heard give to these instances, and nothing else: see `holds_only`."""
    resources = {each: last(running.heard.of(each))["data"]["instance"]["resources"] for each in instance_ids}
    await holds_only(running, resources)


async def holds_only(running: Line, resources: Mapping[str, dict[str, Any]]) -> None:
    """The account holds what the journal gives to the living, what refused orders left, and nothing else.

    `resources` of each instance. Of two security groups that were made at once a living instance may still have both: a
    further one bears its tag.
    """
    living = {each: held for each, held in resources.items() if not held["released"]}
    servers = {held["server_id"] for held in living.values()}
    volumes = {
        volume["id"]
        for held in living.values()
        for volume in held["volumes"]
        if volume["server_id"] == held["server_id"]
    }
    groups = {group for held in living.values() for group in held["security_group_ids"]}
    tags = {f"{INSTANCE_TAG}{each}" for each in living}
    account = await running.account()
    remaining = account["remaining"]
    assert set(remaining["servers"]) == servers, [each for each in account["servers"] if not each["deleted_at"]]
    held = set(remaining["block_volumes"]) | set(remaining["local_volumes"])
    assert held - left_by_refused_orders(account) == volumes
    further = set(remaining["security_groups"]) - groups
    assert set(remaining["security_groups"]) >= groups
    assert not [each for each in account["security_groups"] if each["id"] in further and not tags & set(each["tags"])]
    assert not remaining["ips"]


def left_by_refused_orders(account: dict[str, Any]) -> set[str]:
    """Volumes that never were of any server."""
    of_servers = {volume for server in account["servers"] for volume in server["volumes"]}
    return {
        volume["id"]
        for volume in account["volumes"]
        if volume["deleted_at"] is None and volume["kind"] == "block" and volume["id"] not in of_servers
    }
