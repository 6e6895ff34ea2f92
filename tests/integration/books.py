"""What the journal says that the provider holds, beside what the provider holds."""

from typing import Any

from tests.integration.line import INSTANCE_TAG, Event, Line

ENDED = {"InstanceTerminated", "ResourcesReleased"}
FAILED = ("ProvisioningFailed", "StartupFailed", "InstanceFailed")


def last(events: list[Event]) -> Event:
    """The one of the highest version: a plain subscriber may be told of two publishers' events in either order."""
    return max(events, key=lambda event: event["data"]["instance"]["version"])


async def agrees(running: Line, instance_ids: list[str]) -> None:
    """The account holds what the journal gives to the living, what refused orders left, and nothing else.

    Of two security groups that were made at once a living instance may still have both: a further one bears its tag.
    """
    servers: set[str] = set()
    volumes: set[str] = set()
    groups: set[str] = set()
    living: set[str] = set()
    for instance_id in instance_ids:
        resources = last(running.heard.of(instance_id))["data"]["instance"]["resources"]
        if not resources["released"]:
            living.add(f"{INSTANCE_TAG}{instance_id}")
            servers.add(resources["server_id"])
            volumes |= {
                volume["id"] for volume in resources["volumes"] if volume["server_id"] == resources["server_id"]
            }
            groups |= set(resources["security_group_ids"])
    account = await running.account()
    remaining = account["remaining"]
    assert set(remaining["servers"]) == servers, [each for each in account["servers"] if not each["deleted_at"]]
    held = set(remaining["block_volumes"]) | set(remaining["local_volumes"])
    assert held - left_by_refused_orders(account) == volumes
    further = set(remaining["security_groups"]) - groups
    assert set(remaining["security_groups"]) >= groups
    assert not [each for each in account["security_groups"] if each["id"] in further and not living & set(each["tags"])]
    assert not remaining["ips"]


def left_by_refused_orders(account: dict[str, Any]) -> set[str]:
    """Volumes that never were of any server."""
    of_servers = {volume for server in account["servers"] for volume in server["volumes"]}
    return {
        volume["id"]
        for volume in account["volumes"]
        if volume["deleted_at"] is None and volume["kind"] == "block" and volume["id"] not in of_servers
    }
