"""Past launches, grouped by what they have in common with a running one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.eta import built_in
from shared.eta.alike import FEWEST, Alike
from shared.eta.launch import Launch, first_percent
from shared.eta.scenarios import Scenarios
from shared.eta.start import UNKNOWN, Start

_Key: TypeAlias = tuple[object, ...]


class Group(StrEnum):
    """What the launches behind an estimate share with it: this and all that follow. The first one with enough is used.

    BUILT_IN stands for assumptions, used when there are too few of any kind.
    """

    MODEL = "model"
    INSTANCE_TYPE = "instance_type"
    PROVIDER = "provider"
    ALL = "all"
    BUILT_IN = "built_in"


class Basis(BaseModel):
    """Which past launches an estimate comes from, and how many; 0 for built-in assumptions."""

    model_config = ConfigDict(frozen=True)
    group: Group
    launches: int


class History:
    """The launches from which estimates are made. Scenarios are computed on first use and cached."""

    def __init__(self, launches: Iterable[Launch] = ()) -> None:
        self.launches = sorted(launches, key=_moment, reverse=True)
        self._groups: dict[_Key, Alike] = defaultdict(Alike)
        self._scenarios: dict[_Key, Scenarios] = {}
        for launch in self.launches:
            for _, key in _keys(launch.provider, launch.instance_type, launch.model):
                self._groups[*key, launch.attempt > 1].add(launch)

    def usual_type(self, provider: str, model: str) -> str | None:
        """The type on which the newest launch of this model became ready; None without any."""
        of_model = (launch for launch in self.launches if (launch.provider, launch.model) == (provider, model))
        return next((launch.instance_type for launch in of_model), None)

    def scenarios(
        self,
        *,
        provider: str,
        instance_type: str | None,
        model: str,
        attempt: int,
        percent: int,
        start: Start = UNKNOWN,
    ) -> tuple[Scenarios, Basis]:
        """How launches like this one continued from `percent`."""
        key, launches, basis = self._alike(provider, instance_type, model, attempt, start)
        return self._from(key, launches, attempt, percent), basis

    def alike(
        self, *, provider: str, instance_type: str | None, model: str, attempt: int, start: Start = UNKNOWN
    ) -> tuple[Sequence[Launch], Basis]:
        """The launches to compare with, newest first; assumptions if there are too few."""
        _, launches, basis = self._alike(provider, instance_type, model, attempt, start)
        return launches, basis

    def _alike(
        self, provider: str, instance_type: str | None, model: str, attempt: int, start: Start
    ) -> tuple[_Key, Sequence[Launch], Basis]:
        """Reinstalls are compared with reinstalls, if there are enough.

        Their machines already have the image; machines of first launches do not.
        """
        for group, key in _keys(provider, instance_type, model):
            for again in (True, False) if attempt > 1 else (False,):
                alike = self._groups.get((*key, again))
                if alike is not None and len(launches := alike.like(start)) >= FEWEST:
                    return (*key, again, start), launches, Basis(group=group, launches=len(launches))
        return (), built_in.LAUNCHES, Basis(group=Group.BUILT_IN, launches=0)

    def _from(self, key: _Key, launches: Iterable[Launch], attempt: int, percent: int) -> Scenarios:
        wanted = (*key, first_percent(attempt), percent)
        if wanted not in self._scenarios:
            self._scenarios[wanted] = Scenarios.of(launches, attempt, percent)
        return self._scenarios[wanted]


def _moment(launch: Launch) -> tuple[datetime, UUID, int]:
    return launch.ready_at, launch.instance_id, launch.attempt


def _keys(provider: str, instance_type: str | None, model: str) -> tuple[tuple[Group, _Key], ...]:
    """From the narrowest group to the widest."""
    return (
        (Group.MODEL, (provider, instance_type, model)),
        (Group.INSTANCE_TYPE, (provider, instance_type)),
        (Group.PROVIDER, (provider,)),
        (Group.ALL, ()),
    )
