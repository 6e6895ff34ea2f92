"""The AsyncAPI 3 document of the events, made from their models. `python -m` this prints docs/asyncapi.yaml.

https://www.asyncapi.com/docs/reference/specification/v3.0.0. FastStream's own generator describes a channel with one
message and no parameters; here one subject carries every event.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import yaml
from pydantic import TypeAdapter

from shared.bus.accounts import FOLLOWER
from shared.journal.data_schemas import KIND_OF, KINDS
from shared.journal.envelope import DEPLOYMENTS, INSTANCES, SCHEMA_VERSION, EventKind
from shared.journal.event_examples import example_of
from shared.journal.streams import LIFECYCLE

VERSION: Final = f"{SCHEMA_VERSION}.0.0"
"""Its first number is that of the events' schema."""
_SCHEMAS: Final = "#/components/schemas/{model}"
_ABOUT: Final = f"""\
Everything that happens to an instance or a deployment is one event: a CloudEvent in JSON with the fact, and the
instance or deployment as it is after it.

Run `eval "$(coldstart env)"` in the folder from which the stack was started. `NATS_URL` is then the followers' server,
with the name and password of the user `{FOLLOWER}`, who may read events and change nothing. The stream `{LIFECYCLE}`
has the newest 500 MB of events; a plain subscription hears events from now on, and a consumer of the stream begins
where you say. Declare no stream. Over HTTP, `GET /events` has all events as server-sent events, and needs an API key.
"""
_SUBJECT: Final = {
    INSTANCES.name: "lifecycle.{instance_id}.{event}",
    DEPLOYMENTS.name: "lifecycle.{deployment_id}.{event}",
}


def document() -> dict[str, Any]:
    """Plain data, without shared parts: it can be written as JSON or YAML."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:coldstart:events",
        "info": {
            "title": "Coldstart's events",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"followers": _followers(), "api": _api()},
        "channels": {f"{kind.name}s": _channel(kind) for kind in KINDS} | {"events": _over_http()},
        "operations": {
            **{f"{kind.name}Changed": _sends(f"{kind.name}s", f"An event of {_a(kind)}") for kind in KINDS},
            "eventStreamed": {
                **_sends("events", "Every event that the key may see"),
                "bindings": {"http": {"method": "GET", "bindingVersion": "0.3.0"}},
            },
        },
        "components": {
            "messages": {event: _message(event) for event in sorted(KIND_OF)},
            "messageTraits": {"stored": _stored()},
            "schemas": dict(sorted(_schemas().items())),
            "securitySchemes": {
                "follower": {"type": "userPassword", "description": "Both are in NATS_URL."},
                "key": {"type": "http", "scheme": "bearer", "description": "A key of `coldstart keys create`."},
            },
        },
    }


@cache
def as_yaml() -> str:
    """The document's text."""
    return yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""That of libyaml takes a fifth of the time; PyYAML has it on most machines."""


class _Plain(_Dumper):  # type: ignore[misc, valid-type]  # one of two classes with the same methods
    """Writes text of several lines as a block, and repeats what occurs twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        node: yaml.ScalarNode = self.represent_scalar(
            "tag:yaml.org,2002:str", data, style="|" if "\n" in data else None
        )
        return node


_Plain.add_representer(str, _Plain.represent_str)


def _a(kind: EventKind[Any, Any]) -> str:
    return f"{'an' if kind is INSTANCES else 'a'} {kind.name}"


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": f"#/{'/'.join(path)}"}


def _followers() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": "nats",
        "description": "A server with a copy of the stream, for everybody but Coldstart's own services. "
        'Its address is in NATS_URL after `eval "$(coldstart env)"`.',
        "variables": {
            "host": {"default": "127.0.0.1"},
            "port": {"default": "4222", "description": "`coldstart up` takes any free one."},
        },
        "security": [_ref("components", "securitySchemes", "follower")],
    }


def _api() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": "http",
        "description": 'The HTTP API. Its address is in COLDSTART_API_URL after `eval "$(coldstart env)"`.',
        "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": "8080"}},
        "security": [_ref("components", "securitySchemes", "key")],
    }


def _channel(kind: EventKind[Any, Any]) -> dict[str, Any]:
    return {
        "address": _SUBJECT[kind.name],
        "title": f"Events of {kind.name}s",
        "description": f"In the stream `{LIFECYCLE}`. Subscribe to `lifecycle.>` for all events, to "
        f"`lifecycle.*.{next(iter(kind.events))}` for one kind, or to `lifecycle.ID.>` for those of one {kind.name}. "
        f"`data.{kind.name}.version` counts 1, 2, 3 … per {kind.name}.",
        "servers": [_ref("servers", "followers")],
        "parameters": {
            f"{kind.name}_id": {"description": f"The id of the {kind.name}, a UUID."},
            "event": {"description": "The event's name, as in `type`.", "enum": sorted(kind.events)},
        },
        "messages": _messages(sorted(kind.events)),
    }


def _over_http() -> dict[str, Any]:
    return {
        "address": "/events",
        "title": "Every event, over HTTP",
        "description": "Server-sent events, of which `id` is the place in the stream, `event` the name and `data` the "
        "CloudEvent. There `data` of the CloudEvent has a third part, `description`. `?from=start` begins with the "
        "first event, `?from=2026-01-31T09:30:00Z` at a moment, and the header `Last-Event-ID` behind an event. "
        "`event: estimate` and `event: reset` are no CloudEvents.",
        "servers": [_ref("servers", "api")],
        "messages": _messages(sorted(KIND_OF)),
    }


def _messages(events: list[str]) -> dict[str, Any]:
    return {event: _ref("components", "messages", event) for event in events}


def _sends(channel: str, summary: str) -> dict[str, Any]:
    return {"action": "send", "channel": _ref("channels", channel), "summary": summary}


def _stored() -> dict[str, Any]:
    """The headers of what is read from the followers' copy."""
    return {
        "headers": {
            "type": "object",
            "properties": {
                "Coldstart-Sequence": {"type": "string", "description": "The event's number among all, from 1."},
                "Coldstart-Stored-Ns": {
                    "type": "string",
                    "description": "When it was recorded, in nanoseconds since 1970.",
                },
            },
        },
        "correlationId": {
            "description": "The id of the event that led to this one, if any.",
            "location": "$message.payload#/causationid",
        },
    }


def _message(event: str) -> dict[str, Any]:
    kind = KIND_OF[event]
    model = kind.events[event]
    told = {"description": _flowing(model.__doc__)} if model.__doc__ else {}
    return {
        "name": event,
        **told,
        "contentType": "application/json",
        "traits": [_ref("components", "messageTraits", "stored")],
        "payload": {
            "allOf": [
                _ref("components", "schemas", "CloudEvent"),
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event},
                        "data": {
                            "type": "object",
                            "required": ["event", kind.name],
                            "properties": {
                                "event": _ref("components", "schemas", event),
                                kind.name: _ref("components", "schemas", kind.state.__name__),
                            },
                        },
                    },
                },
            ]
        },
        "examples": [{"name": event, "payload": example_of(event)}],
    }


def _flowing(text: str) -> str:
    """A docstring as paragraphs, each on one line."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _schemas() -> dict[str, Any]:
    models = dict(_models())
    inputs: list[tuple[str, Any, Any]] = [(name, "serialization", TypeAdapter(each)) for name, each in models.items()]
    _, shared = TypeAdapter.json_schemas(inputs, ref_template=_SCHEMAS)
    found = {name: schema for name, schema in shared["$defs"].items() if name != "Wish"}
    return found | {"CloudEvent": _cloud_event()}


def _models() -> Iterator[tuple[str, Any]]:
    for kind in KINDS:
        yield from kind.events.items()
        yield kind.state.__name__, kind.state


def _cloud_event() -> dict[str, Any]:
    text = {"type": "string"}
    uuid = {"type": "string", "format": "uuid"}
    return {
        "title": "CloudEvents 1.0 in JSON",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "actor", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**uuid, "description": "The same for everyone who saw the same fact. It occurs once."},
            "source": {**text, "description": "/coldstart/ and the id of the installation."},
            "type": {**text, "description": "The event's name."},
            "subject": {**uuid, "description": "The id of the instance or deployment."},
            "time": {"type": "string", "format": "date-time", "description": "When it happened."},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {**text, "description": "Names the schema of `data`: `GET /schemas/events/TYPE`."},
            "vocabulary": {**text, "description": "Means something to Coldstart's own services only."},
            "actor": {**text, "description": "The service that recorded the event."},
            "causationid": {**uuid, "description": "The id of the event that led to it."},
            "traceparent": text,
            "data": {"type": "object"},
        },
    }


if __name__ == "__main__":
    sys.stdout.write(f"# Drawn from the code by `make docs`.\n{as_yaml()}")
