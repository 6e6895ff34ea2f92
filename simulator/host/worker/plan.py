"""What the simulated worker of one container does, and when: handed to its process in the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Self

_VARIABLE: Final = "SIMULATED_PLAN"


@dataclass(frozen=True)
class Plan:
    """Moments are of `time.time`, the rest in seconds. By default it loads at once and serves until it is told to stop.

    `ports`: what each port of the container is outside. `folders`: where those of the container are on this computer.
    """

    image: str
    address: str
    ports: Mapping[str, int]
    folders: Mapping[str, str] = field(default_factory=dict)
    first_line_at: float = 0.0
    load_seconds: float | None = 0.0
    """None: standard input tells how far the load is, from 0 to 1, a line each time. The first one starts it."""
    never_loads: bool = False
    dies_after_ready: float | None = None
    engine_dies_after_ready: float | None = None
    engine_hangs_at: str | None = None
    dead_engine: float = 0.0
    """How long a dead engine's server answers before it ends."""
    token_seconds: float = 0.002
    fails_with: str | None = None
    """The last lines of a worker that cannot start."""
    broken: bool = False

    def environment(self) -> dict[str, str]:
        return {_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def given(cls) -> Self:
        return cls(**json.loads(os.environ[_VARIABLE]))
