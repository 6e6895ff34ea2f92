"""Who has written a client of this API finds in its document all that was there: `former.json` is an earlier one.

What is new is named in `ADDITIONS`; what has gone or changed fails. Descriptions and summaries may be reworded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.openapi.test_document import described
from tests.api.stage import Stage

FORMER: Final = Path(__file__).with_name("former.json")
DESCRIBED: Final = (
    *("actions", "advice", "as_of", "doing", "group", "image", "replica", "serving"),
    *("status_label", "step_label", "task", "tone", "vllm_version", "waits_for", "where"),
    *("purpose", "worker_tls"),
)
ADDITIONS: Final[Sequence[str]] = (
    *(f"/components/schemas/{enum}" for enum in ("Intent", "StatusGroup", "Tone")),
    *(
        f"/components/schemas/{schema}/{part}/{field}"
        for schema in ("InstanceView", "NewInstance")
        for part in ("properties", "required")
        for field in DESCRIBED
    ),
    *(
        f"/components/schemas/Offer/{part}/{field}"
        for part in ("properties", "required")
        for field in ("compute_capability", "image", "scratch_gb", "unusable")
    ),
    "/components/schemas/Source",
    *(f"/components/schemas/DayCost/{part}/machine_images" for part in ("properties", "required")),
    *(f"/components/schemas/Log/{part}/machine" for part in ("properties", "required")),
    "/paths/~1instances~1{instance_id}~1logs/get/parameters/source",
    *(f"/paths/~1v1~1{path}" for path in ("messages", "messages~1count_tokens", "rerank", "responses", "score")),
    "/paths/~1instances~1{instance_id}~1relaunch",
    "/paths/~1readyz/get/responses/429",
    *("/paths/~1tokenize", "/paths/~1detokenize", "/paths/~1v1~1models~1{model}/get/parameters/model/example"),
    "/components/schemas/InstanceBody/properties/task",
    *("/paths/~1models~1fit", "/components/schemas/ModelFit", "/components/schemas/TypeFit"),
    *(f"/components/schemas/ModelBody/properties/{field}" for field in ("task", "trust_remote_code")),
    *(f"/components/schemas/Model/{part}/trust_remote_code" for part in ("properties", "required")),
    *(
        "/components/schemas/AnthropicError",
        *(f"/components/schemas/OpenAIModel/properties/{field}" for field in ("max_model_len", "wakes")),
        *("/components/schemas/DeploymentStatus", "/components/schemas/WakingCandidate"),
        *(
            f"/components/schemas/Explanation/{part}/{field}"
            for part in ("properties", "required")
            for field in ("deployments", "fallback")
        ),
        "/components/securitySchemes/x-api-key",
    ),
    *(f"/components/schemas/{schema}" for schema in ("CheckOutcome", "ProviderCheck")),
    *(f"/components/schemas/OfferingView/{part}/deployment" for part in ("properties", "required")),
    *("/paths/~1webhooks", *(f"/paths/~1webhooks~1{{webhook_id}}{rest}" for rest in ("", "~1rotate-secret", "~1test"))),
    *(f"/paths/~1webhooks~1{{webhook_id}}~1{rest}" for rest in ("deliveries", "replay")),
    *(f"/components/schemas/Webhook{each}" for each in ("Body", "ChangeBody", "List", "View", "WithSecret")),
    *(
        f"/components/schemas/{each}"
        for each in ("Delivery", "DeliveryState", "Page_Delivery_", "Replay", "ReplayBody")
    ),
    *(
        "/paths/~1audit",
        *(f"/components/schemas/{each}" for each in ("Actor", "AuditActor", "AuditEntry", "EntryType", "Subject")),
    ),
    "/components/schemas/Page_AuditEntry_",
    *(
        f"/components/schemas/{schema}/{part}/{field}"
        for schema in ("InstanceView", "NewInstance")
        for part in ("properties", "required")
        for field in ("created_by", "requested_by")
    ),
    *(f"/components/schemas/TimelineRow/{part}/requested_by" for part in ("properties", "required")),
    *("/paths/~1deployments", "/paths/~1deployments~1{name}"),
    *(f"/paths/~1deployments~1{{name}}~1{verb}" for verb in ("pause", "restart", "resume", "rollback", "scale")),
    *(f"/paths/~1deployments~1{{name}}~1{what}" for what in ("explain", "load", "timeline")),
    *(
        f"/components/schemas/{schema}"
        for schema in (
            *("AskedView", "Degraded", "DeploymentBody", "DeploymentIntent", "DeploymentLoadView"),
            *("DeploymentStatus", "DeploymentTimelineRow", "DeploymentTrouble", "Lead", "LoadSlot"),
            *("Page_DeploymentTimelineRow_", "Page_DeploymentView_", "ReplicaDelay"),
            *("ScalingExplanation", "ScalingFigures"),
            *("DeploymentView", "DeploymentWish", "FailedPlace", "LoadView", "NewDeployment", "OfDeployment"),
            *("ReplicaView", "Rollout", "RolloutBody", "RolloutState", "ScaleBody", "Scaling", "Template", "Turn"),
            "TurnBody",
        )
    ),
    "/paths/~1instances~1{instance_id}~1critical-path",
    *(f"/components/schemas/Launch/properties/{field}" for field in ("machine_image", "weights")),
    *(f"/components/schemas/Launch/required/{field}" for field in ("machine_image", "weights")),
    *("/paths/~1machine-images", "/paths/~1machine-images~1{image_id}"),
    *("/components/schemas/Action/enum/store_image", "/components/schemas/Reason/enum/retired"),
    *(f"/components/schemas/Kind/enum/{each}" for each in ("disk_snapshot", "machine_image")),
    *(f"/components/schemas/MachineImage{each}" for each in ("Body", "State", "View", "sView")),
    "/components/schemas/ImageUser",
    *(f"/components/schemas/{schema}" for schema in ("CriticalPath", "Interval", "LaunchOutcome")),
    *(
        f"/components/schemas/ProviderStatus/{part}/{field}"
        for part in ("properties", "required")
        for field in ("checked_at", "checks")
    ),
)
"""JSON pointers (RFC 6901) to what the document has gained, each with all that is below it.

A string in a list is pointed at by itself, a parameter by its name, and anything else in a list by its index.
"""
PROSE: Final = frozenset({"description", "summary"})


async def test_the_document_has_all_that_it_had_and_what_is_new_is_named(stage: Stage) -> None:
    found = differences(json.loads(FORMER.read_text()), await described(stage), ADDITIONS)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("now", "difference"),
    [
        ({"a/b": [{"name": "x", "max": 2}], "required": ["one"]}, "changed: /a~1b/x/max"),
        ({"a/b": [], "required": ["one"]}, "gone: /a~1b/x"),
        ({"a/b": [{"name": "x", "max": 1}], "required": []}, "gone: /required/one"),
        ({"a/b": [{"name": "x", "max": 1}], "required": {}}, "changed: /required"),
        ({"a/b": [{"name": "x", "max": 1}], "required": ["one", "two"]}, "added without being named: /required/two"),
        ({"a/b": [{"name": "x", "max": 1}], "required": ["one"]}, "named as an addition, but not there: /new"),
    ],
)
def test_whatever_differs_is_seen(now: dict[str, Any], difference: str) -> None:
    former = {"a/b": [{"name": "x", "max": 1}], "required": ["one"]}
    assert difference in differences(former, now, ["/new"])


def test_what_is_named_may_be_added_and_prose_may_be_reworded() -> None:
    former = {"description": "as it was", "paths": {}}
    now = {"description": "as it is", "paths": {"/new": {"get": {"summary": "New"}}}}
    assert not differences(former, now, ["/paths/~1new"])


def differences(former: Any, now: Any, additions: Sequence[str]) -> list[str]:
    before, after = dict(entries(former)), dict(entries(now))
    added = after.keys() - before.keys()
    return [
        *(f"gone: {pointer}" for pointer in sorted(before.keys() - after.keys())),
        *(f"changed: {at}" for at in sorted(before.keys() & after.keys()) if before[at] != after[at]),
        *(f"added without being named: {pointer}" for pointer in sorted(added) if not below(pointer, additions)),
        *(f"named as an addition, but not there: {addition}" for addition in additions if addition not in added),
    ]


def below(pointer: str, additions: Sequence[str]) -> bool:
    return any(f"{pointer}/".startswith(f"{addition}/") for addition in additions)


def entries(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a document, by its pointer: what is plain with its value, what holds more with its kind."""
    held: Mapping[str, Any]
    match value:
        case dict():
            held = value
        case list():
            held = {key(at, item): item for at, item in enumerate(value)}
        case _:
            prose = isinstance(value, str) and pointer.rpartition("/")[2] in PROSE
            yield pointer, "prose" if prose else value
            return
    yield pointer, type(value)
    for name, inner in held.items():
        yield from entries(inner, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")


def key(at: int, item: Any) -> str:
    if isinstance(item, str):
        return item
    return str(item["name"]) if isinstance(item, dict) and "name" in item else str(at)
