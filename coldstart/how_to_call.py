"""How the reader can call `coldstart` in their shell, and reach what it has launched."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from coldstart.client_settings import ClientSettings
from coldstart.stack.files import ADMIN_KEY, find_reach, stored
from shared.lifecycle.wish import Task

_FOLDER: Final = "COLDSTART_DATA_DIR"


def program() -> str:
    """`coldstart` if the shell finds this program by that name, else its path; with the data folder, if one is set.

    Another terminal does not have the settings of this one.
    """
    own, found = Path(sys.executable).with_name("coldstart"), shutil.which("coldstart")
    if found and Path(found).resolve() == own.resolve():
        called = "coldstart"
    elif own.exists():
        called = shlex.quote(_from_here(own))
    else:
        called = f"{shlex.quote(_from_here(Path(sys.executable)))} -m coldstart"
    folder = os.environ.get(_FOLDER)
    return f"{_FOLDER}={shlex.quote(str(Path(folder).absolute()))} {called}" if folder else called


def endpoint(url: str, model: str, task: Task, organization: str | None, settings: ClientSettings) -> Iterator[str]:
    """Where a ready instance answers, which key it accepts, and a line to paste. No key is printed."""
    base = f"{url.rstrip('/')}/v1"
    of_whom = f" --organization {shlex.quote(organization)}" if organization else ""
    making = f"{program()} keys create"
    yield f"base URL   {base}  (for any OpenAI client)"
    yield f"model      {model}"
    yield f"key        {making} 'my laptop'{of_whom}"
    if organization and settings.api_key is None:
        key = f"$({making} curl{of_whom})"
    else:
        key = _own_key(settings) or f"$({making} curl)"
    yield f"try it     {_curl(base, model, task, key)}"


def _own_key(settings: ClientSettings) -> str | None:
    """A shell expression that expands to this command's key."""
    if settings.api_key is not None:
        return "$COLDSTART_API_KEY"
    file = settings.data_dir / ADMIN_KEY
    if settings.api_url is None and stored(settings.data_dir, ADMIN_KEY) == find_reach(settings.data_dir).admin_key:
        return f"$(cat {shlex.quote(str(file))})"
    return None


def _curl(base: str, model: str, task: Task, key: str) -> str:
    body: dict[str, Any] = {"model": model}
    if task == "embed":
        path = "embeddings"
        body["input"] = "Hello."
    else:
        path = "chat/completions"
        body["messages"] = [{"role": "user", "content": "Say hello."}]
    words = ("curl", "-sS", f"{base}/{path}", "-H", "Content-Type: application/json", "-d", json.dumps(body))
    return f'{shlex.join(words)} -H "Authorization: Bearer {key}"'


def _from_here(path: Path) -> str:
    """The path, relative to this folder if possible."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
