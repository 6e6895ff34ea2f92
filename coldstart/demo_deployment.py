"""The second part of the demonstration: a deployment from zero, woken by the first chat, and back to zero."""

import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console

from coldstart.api_client import Api
from shared.lifecycle.status import Status

NAME: Final = "chat"
_PATIENCE_S: Final = 60.0
_LOOK_S: Final = 0.1


def woken(console: Console, api: Api, wish: dict[str, Any], chat: Callable[[], str]) -> bool:
    """Returns whether a replica was launched for the chat, and left when there were no more requests."""
    path = f"/deployments/{NAME}"
    api.put(path, {**wish, "min_replicas": 0, "max_replicas": 1, "scale_to_zero_after": 0})
    console.print(f"\nPUT {path}: nothing runs until somebody asks", highlight=False)
    console.print("POST /v1/chat/completions, held until a replica is ready", highlight=False)
    began = time.monotonic()
    console.print(chat(), style="bold", highlight=False, markup=False)
    console.print(f"woken, held and answered  {time.monotonic() - began:8.2f} s", highlight=False)
    asleep = _waited(lambda: _none_stays(api.get(path)))
    console.print("no more requests: back to zero" if asleep else "it did not go back to zero", highlight=False)
    for replica in api.get(path)["replicas"]:
        api.delete(f"/instances/{replica['instance_id']}")  # a drain would wait for routers that are late
    gone = _waited(lambda: not api.get(path)["replicas"] and _all_released(api))
    api.delete(path)
    return asleep and gone


def _none_stays(deployment: dict[str, Any]) -> bool:
    return not deployment["wanted"] and all(replica["leaving"] for replica in deployment["replicas"])


def _all_released(api: Api) -> bool:
    """A deployment forgets a replica once nobody pays for its server, and its disk may be there a moment longer."""
    return all(instance["status"] == Status.TERMINATED for instance in api.pages("/instances"))


def _waited(true: Callable[[], bool]) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(_LOOK_S)
    return False
