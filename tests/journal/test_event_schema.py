"""What followers read of an event stays as it was published: something may be added, and is listed here."""

from collections.abc import Iterator
from typing import Any, Final

from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.journal.event_schema import schema
from shared.lifecycle.events import EVENTS
from tests.journal import former

OF_MACHINE_IMAGES: Final = (
    *("MachineImageChosen", "MachineImageUnusable", "MachineSealed"),
    *("MachineImageStored", "MachineImageRetired", "MachineImageDeleted"),
)
ADDED: Final = (
    *("/$defs/WeightsProgressed", "/allOf/WeightsProgressed", "/properties/type/enum/WeightsProgressed"),
    *("/$defs/FetchedWeights", "/$defs/Instance/properties/weights"),
    *("/$defs/ActionResumed", "/allOf/ActionResumed", "/properties/type/enum/ActionResumed"),
    "/$defs/Findings",
    "/$defs/Actor",
    *(f"/$defs/Instance/properties/{name}" for name in ("created_by", "requested_by")),
    *(f"/$defs/{name}Requested/properties/requested_by" for name in ("Drain", "Instance", "Reinstall", "Termination")),
    "/$defs/InstanceArchived/properties/requested_by",
    "/$defs/Instance/properties/findings",
    "/$defs/Instance/required/findings",
    "/$defs/Install/properties/image",
    "/$defs/Instance/properties/max_model_len",
    "/$defs/Instance/properties/worker_tls",
    "/$defs/InstanceRequested/properties/findings",
    "/$defs/ModelLoaded/properties/max_model_len",
    "/$defs/SshInstallPhaseReached/properties/image",
    "/$defs/SshInstallStarted/properties/worker_tls",
    "/$defs/StartupFailed/properties/output",
    "/$defs/ServerStopped/properties/scratch_erased",
    "/$defs/Volume/properties/scratch",
    "/$defs/VolumeFound/properties/scratch",
    "/$defs/Instance/properties/longest_context",
    "/$defs/Instance/properties/vllm_version",
    "/$defs/StartupFailed/properties/longest_context",
    "/$defs/WarmupCompleted/properties/vllm_version",
    "/$defs/FailedPlace",
    *(f"{place}/{name}" for name in OF_MACHINE_IMAGES for place in ("/$defs", "/allOf", "/properties/type/enum")),
    *("/$defs/ChosenImage", "/$defs/StoredImage", "/$defs/Specification/properties/purpose"),
    *(f"/$defs/Instance/properties/{name}" for name in ("chosen_images", "unusable_images", "stored_image")),
    "/$defs/Instance/properties/no_image_list",
    *(f"/$defs/{name}/properties/machine_image" for name in ("Instance", "InstanceCreated")),
    "/$defs/Action/enum/store_image",
    *("/$defs/OfDeployment", "/$defs/Specification/properties/replica"),
    *(f"{place}/{name}" for name in DEPLOYMENT_EVENTS for place in ("/$defs", "/allOf", "/properties/type/enum")),
    *("/$defs/Deployment", "/properties/data/properties/deployment"),
    *(f"/$defs/{name}" for name in ("Degraded", "DeploymentStatus", "DeploymentTrouble", "DeploymentWish", "Replica")),
    *(f"/$defs/{name}" for name in ("Rollout", "RolloutState", "Scaling", "ScalingFigures", "Template", "Turn")),
    *(f"/allOf/{name}/then/properties/data/required" for name in EVENTS),
    "/properties/vocabulary",
)
"""Where something is that was not there, as the beginning of a JSON pointer."""
CHANGED: Final = {
    "/properties/dataschema/pattern": "^urn:coldstart:event:[A-Za-z]+:2$",
    "/properties/data/required/instance": None,  # each event of an instance requires it
}
"""What stands at a JSON pointer now instead."""


def leaves(node: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its JSON pointer, save the words for people. What has no order is named by its value."""
    match node:
        case dict():
            for name, value in node.items():
                if not (name == "description" and isinstance(value, str)):
                    yield from leaves(value, f"{at}/{name}")
        case list():
            for number, value in enumerate(node):
                yield from leaves(value, f"{at}/{_name(value, number)}")
        case _:
            yield at, node


def _name(value: Any, number: int) -> Any:
    match value:
        case {"if": {"properties": {"type": {"const": event}}}}:
            return event
        case dict() | list():
            return number
        case _:
            return value


def _added(pointer: str) -> bool:
    return any(pointer == start or pointer.startswith(f"{start}/") for start in ADDED)


def test_published_events_have_what_they_had() -> None:
    before, after = dict(leaves(former.event_schema())), dict(leaves(schema()))
    assert {at: after.get(at) for at, value in before.items() if after.get(at) != value} == CHANGED


def test_what_published_events_have_more_is_listed() -> None:
    more = dict(leaves(schema())).keys() - dict(leaves(former.event_schema())).keys()
    assert {at for at in more if not _added(at)} == set()
    assert {start for start in ADDED if not any(at == start or at.startswith(f"{start}/") for at in more)} == set()


def test_a_field_that_is_taken_away_or_changed_is_noticed() -> None:
    changed = schema()
    del changed["$defs"]["IpAssigned"]["properties"]["address_id"]
    changed["$defs"]["IpAssigned"]["properties"]["ip_address"]["type"] = "integer"
    changed["$defs"]["IpAssigned"]["required"].remove("server_id")
    before, after = dict(leaves(former.event_schema())), dict(leaves(changed))
    lost = {at for at, value in before.items() if after.get(at) != value} - CHANGED.keys()
    of = "/$defs/IpAssigned"
    assert {f"{of}/properties/ip_address/type", f"{of}/required/server_id"} <= lost
    assert any(at.startswith(f"{of}/properties/address_id") for at in lost)
