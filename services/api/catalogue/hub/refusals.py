"""The refusals for the hub's negative and missing answers."""

from dataclasses import replace
from typing import Final, TypeVar, assert_never

from services.api.catalogue.errors import (
    HubRateLimited,
    HubTokenRefused,
    HubUnavailable,
    ModelDisabled,
    ModelGated,
    ModelNotOnHub,
    ModelPrivate,
    TaskNotSupported,
)
from services.api.catalogue.hub import client as hub
from services.api.refusals import FieldError, Refused
from shared.lifecycle.wish import Task

_AT: Final = "/model"
AboutModel = TypeVar("AboutModel", bound=Refused)


def as_said(lookup: hub.Lookup, task: Task | None, *, insist: bool) -> hub.Lookup:
    """With the task that somebody says where the hub tells none or, if they insist, another one."""
    described = lookup.described if isinstance(lookup, hub.Unsupported) else lookup if insist else None
    return replace(described, task=task) if task is not None and isinstance(described, hub.Found) else lookup


def admitted(name: str, lookup: hub.Lookup) -> hub.Found:
    """The found model. Raises Refused if it is not served here, or the hub gave no answer."""
    match lookup:
        case hub.Found():
            return lookup
        case hub.NotOnHub():
            detail = (
                f"The Hugging Face hub has no public model {name}; check the spelling. A private one looks the same."
            )
            raise about_model(ModelNotOnHub, detail)
        case hub.Private():
            detail = f"{name} is private; everyone with a key could use it here, so only public models are served."
            raise about_model(ModelPrivate, detail)
        case hub.Gated(with_token=False):
            detail = f"{name} is gated: accept its licence on the hub, then start the services with your HF_TOKEN."
            raise about_model(ModelGated, detail)
        case hub.Gated():
            detail = f"{name} is gated, and the owner of HF_TOKEN has no access: accept its licence on the hub."
            raise about_model(ModelGated, detail)
        case hub.Disabled():
            detail = f"{name} was taken down on the hub, so nobody can load it any more; choose another model."
            raise about_model(ModelDisabled, detail)
        case hub.Unsupported(pipeline=pipeline):
            purpose = f"is for {pipeline}" if pipeline else "does not say what it is for"
            detail = f"{name} {purpose}; text generation and embeddings are what is served here. "
            detail += "If it does one of them, say so: task generate, or embed."
            raise about_model(TaskNotSupported, detail)
        case hub.TokenRefused() | hub.RateLimited() | hub.HubUnreachable():
            raise unanswered(name, lookup)
        case _:
            assert_never(lookup)


def unanswered(name: str, failure: hub.HubFailure, *, instead: str = "") -> Refused:
    """`instead`: what can be done now, besides trying again later."""
    match failure:
        case hub.TokenRefused():
            detail = f"The hub refuses our HF_TOKEN; the api service needs a valid one, or none.{instead}"
            return HubTokenRefused(detail)
        case hub.RateLimited(retry_after_s=seconds):
            detail = f"The Hugging Face hub takes no more questions for now, so {name} could not be looked up. "
            detail += f"Try again later; those that come with an HF_TOKEN may ask more.{instead}"
            return HubRateLimited(detail, retry_after_s=seconds)
        case hub.HubUnreachable(reason=reason):
            detail = f"The Hugging Face hub could not be asked about {name} ({reason}). Try again in a moment.{instead}"
            return HubUnavailable(detail)
        case _:
            assert_never(failure)


def about_model(reason: type[AboutModel], detail: str) -> AboutModel:
    """A refusal about the requested model."""
    return reason(detail, errors=(FieldError(pointer=_AT, detail=detail),))
