"""Each refusal has one kind, and so one problem document and one error in OpenAI's shape."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import services.api.app
from services.api.control import problems
from services.api.http.kinds import STATUS
from services.api.refusals import FieldError, Invalid, Kind, Refused, invalid
from services.api.router import refusal
from services.api.router.formats import format_of

API: Final = Path(services.api.app.__file__).parent
DOCUMENTS: Final[dict[str, tuple[int, str, str]]] = {
    "ApiKeyUnknown": (404, "api_key_not_found", "There is no such key"),
    "AttemptUnknown": (404, "attempt_not_found", "There is no such attempt"),
    "DeploymentExists": (412, "deployment_exists", "There is such a deployment already"),
    "EventsNotRecorded": (503, "events_not_recorded", "Nothing can be recorded"),
    "Forbidden": (403, "forbidden", "This key may not do that"),
    "HubRateLimited": (503, "hub_rate_limited", "The Hugging Face hub is asked too often"),
    "HubTokenRefused": (502, "hub_token_refused", "The hub refuses our token"),
    "HubUnavailable": (503, "hub_unavailable", "The Hugging Face hub does not answer"),
    "InstanceIdMalformed": (404, "instance_not_found", "There is no such instance"),
    "InstanceTypesUnknown": (503, "instance_types_unknown", "The instance types are not known yet"),
    "Invalid": (422, "invalid_request", "The request is not valid"),
    "KeyNeeded": (401, "unauthorized", "A valid API key is needed"),
    "LastKey": (409, "last_admin_key", "Nobody could administer this installation any more"),
    "LaunchNotAllowed": (403, "launch_not_allowed", "This key may not launch that"),
    "LimitReached": (403, "limit_reached", "The organisation has reached a limit"),
    "MachineImageUnknown": (404, "machine_image_not_found", "There is no such machine image"),
    "ModelDisabled": (422, "model_disabled", "The model was taken down"),
    "ModelGated": (422, "model_gated", "The model is gated"),
    "ModelIdMalformed": (422, "model_id_malformed", "This is no model id"),
    "ModelInUse": (409, "model_in_use", "The model still has instances"),
    "ModelNotServable": (422, "model_not_servable", "vLLM cannot serve this model"),
    "ModelNotOnHub": (422, "model_not_found", "There is no such model"),
    "ModelOffered": (409, "model_offered", "The model is offered by organisations"),
    "ModelPrivate": (422, "model_private", "The model is private"),
    "ModelRemoved": (409, "model_gone", "The model is not in the catalogue any more"),
    "ModelUnknown": (404, "model_not_found", "There is no such model"),
    "WorkerLogUnreadable": (503, "worker_log_unreadable", "The worker's log cannot be read now"),
    "NoSpaceLeft": (503, "no_space_left", "There is no space left for launches"),
    "NoProvisioner": (503, "no_provisioner", "Nobody can reconcile now"),
    "OfferingCollides": (409, "offering_collides", "A public model has this name"),
    "OfferingExists": (409, "offering_exists", "There is such an offering already"),
    "OfferingUnknown": (404, "offering_not_found", "There is no such offering"),
    "OrganizationExists": (409, "organization_exists", "There is such an organisation already"),
    "OrganizationInUse": (409, "organization_in_use", "The organisation still has instances"),
    "OrganizationUnknown": (404, "organization_not_found", "There is no such organisation"),
    "ReconciliationUnfinished": (504, "reconciliation_unfinished", "The reconciliation takes long"),
    "RoutesStale": (503, "routes_stale", "The routing table is stale"),
    "SlugOnHub": (409, "slug_on_hub", "The slug is a name on the Hugging Face hub"),
    "StoresAway": (503, "stores_away", "NATS or PostgreSQL is away"),
    "TaskNotSupported": (422, "task_not_supported", "The model's task is not supported"),
    "StreamUnreadable": (503, "stream_unreadable", "The event stream cannot be read now"),
    "TooManyWebhooks": (409, "too_many_webhooks", "There are too many webhooks"),
    "WebhookOff": (409, "webhook_switched_off", "The webhook is switched off"),
    "WebhookUnknown": (404, "webhook_not_found", "There is no such webhook"),
    "TooManyWrongKeys": (429, "too_many_wrong_keys", "There were too many wrong keys"),
    "Unproven": (403, "csrf_token_invalid", "The request may come from another page"),
}
"""For each refusal: the status, the code and the title, which clients rely on."""
OPENAI_S_CODES: Final = {"KeyNeeded": "invalid_api_key"}
HEADERS: Final = {"KeyNeeded": {"WWW-Authenticate": "Bearer"}}
UNAVAILABLE_HEADERS: Final = {"Retry-After": "2"}


def reasons(root: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for reason in root.__subclasses__():
        yield reason
        yield from reasons(reason)


REASONS: Final = {reason.__name__: reason for reason in reasons() if reason.__module__.startswith("services.")}


def test_every_reason_is_told_apart_and_has_its_document_here() -> None:
    every = [reason for reason in reasons() if reason.__module__.startswith("services.")]
    assert sorted(reason.__name__ for reason in every) == sorted(DOCUMENTS)
    said = [(reason.kind, reason.code) for reason in every]
    assert len(said) == len(set(said)), "a client could not tell two of them apart"


def test_every_class_that_the_source_derives_was_imported_here() -> None:
    derived = {
        node.name
        for path in API.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any(one.arg == "kind" for one in node.keywords)
    }
    assert derived == REASONS.keys()


def test_every_kind_is_one_status_and_is_used() -> None:
    assert STATUS.keys() == set(Kind)
    assert len(set(STATUS.values())) == len(Kind)
    assert {reason.kind for reason in REASONS.values()} == set(Kind)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_reason_has_one_problem_document(name: str) -> None:
    status, code, title = DOCUMENTS[name]
    at = FieldError(pointer="/model", detail="is wrong.")
    problem = problems.of(REASONS[name]("Do this.", errors=(at,), figures={"limit": 3}))
    assert problem.status == status
    assert problem.document() == {
        "type": f"urn:coldstart:problem:{code}",
        "title": title,
        "status": status,
        "detail": "Do this.",
        "code": code,
        "limit": 3,
        "errors": [{"pointer": "/model", "detail": "is wrong."}],
    }
    assert problem.headers == (UNAVAILABLE_HEADERS if status == 503 else HEADERS.get(name, {}))
    assert problems.of(REASONS[name]("Wait.", retry_after_s=7)).headers == (HEADERS.get(name) or {"Retry-After": "7"})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_reason_has_one_error_in_openai_s_shape(name: str) -> None:
    status, code, _ = DOCUMENTS[name]
    told = refusal.of(REASONS[name]("Do this.", figures={"limit": 3}))
    error: dict[str, Any] = json.loads(format_of("/v1/chat/completions").body(told))["error"]
    assert told.status == status
    assert error["code"] == OPENAI_S_CODES.get(name, code)
    assert error["limit"] == 3
    assert error["message"] == "Do this." or name in OPENAI_S_CODES
    assert error["type"] == {429: "rate_limit_error"}.get(
        status, "server_error" if status >= 500 else "invalid_request_error"
    )
    assert told.headers == (UNAVAILABLE_HEADERS if status == 503 else HEADERS.get(name, {}))


ANTHROPIC_S_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_reason_has_one_error_in_anthropic_s_shape(name: str) -> None:
    status, code, _ = DOCUMENTS[name]
    told = refusal.of(REASONS[name]("Do this.", figures={"limit": 3}))
    document: dict[str, Any] = json.loads(format_of("/v1/messages").body(told))
    assert document["type"] == "error"
    error = document["error"]
    assert error["type"] == ANTHROPIC_S_TYPES.get(status, "invalid_request_error")
    assert (error["code"], error["limit"]) == (OPENAI_S_CODES.get(name, code), 3)
    assert error["message"] == told.message


def test_a_reason_without_its_kind_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="kind"):
        type("Nameless", (Refused,), {})


def test_what_is_invalid_names_every_field() -> None:
    wrong = invalid(FieldError(pointer="/a", detail="is missing."), FieldError(pointer="b", detail="is no day."))
    assert wrong.detail == "/a: is missing.; b: is no day."


def test_one_more_sentence_stands_in_the_detail_and_at_each_field_and_changes_nothing_else() -> None:
    first = Invalid("Not so.", errors=(FieldError(pointer="/a", detail="No."),), figures={"limit": 3}, retry_after_s=7)
    more = first.adding(" It is simulated.", simulated="hub")
    assert type(more) is Invalid
    assert more.detail == "Not so. It is simulated."
    assert more.errors == (FieldError(pointer="/a", detail="No. It is simulated."),)
    assert more.figures == {"limit": 3, "simulated": "hub"}
    assert more.retry_after_s == 7
    assert first.figures == {"limit": 3}
