# Made from coldstart_client/aio/instances.py by `make docs`: change that.
"""Instances: create, read, watch and end them."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Final, Unpack
from uuid import UUID, uuid4

from coldstart_client.addresses import path
from coldstart_client.answers import (
    CriticalPath,
    InstanceView,
    InstanceViewPage,
    Log,
    NewInstance,
    Source,
    Status,
    StatusGroup,
    TimelineRow,
    UsualSteps,
)
from coldstart_client.blocking.connection import Connection
from coldstart_client.blocking.following import Following
from coldstart_client.bodies import InstanceBody
from coldstart_client.errors import EventsLost, InstanceFailed, WaitTimedOut
from coldstart_client.messages import message_of
from coldstart_client.progress import Progress, settled
from coldstart_client.reading import read

_INSTANCES: Final = "instances"


class Instances:
    """Each method raises ApiError, NoAnswer or UnexpectedAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, *, idempotency_key: str | None = None, **body: Unpack[InstanceBody]) -> NewInstance:
        """Ask for an instance; it is launched in the background.

        A repetition with the same key and body gives the same instance. Without a key one is made, so that a request
        whose answer is lost can be sent again.
        """
        return self._launched("POST", path(_INSTANCES), body, idempotency_key)

    def relaunch(self, instance_id: UUID | str, *, idempotency_key: str | None = None) -> NewInstance:
        """Launch a failed instance again, as another one with the same wishes."""
        return self._launched("POST", path(_INSTANCES, instance_id, "relaunch"), None, idempotency_key)

    def get(self, instance_id: UUID | str) -> InstanceView:
        """As it is now."""
        return read(InstanceView, self._connection.call("GET", path(_INSTANCES, instance_id)))

    def list(
        self,
        *,
        status: Status | str | Sequence[Status | str] | None = None,
        model: str | None = None,
        organization: str | None = None,
    ) -> Iterator[InstanceView]:
        """All of them, newest first, page by page; archived ones only by their status."""
        query = {"status": status, "model": model, "organization": organization}
        for row in self._connection.pages(path(_INSTANCES), query):
            yield read(InstanceView, row)

    def page(
        self,
        *,
        status: Status | str | Sequence[Status | str] | None = None,
        model: str | None = None,
        organization: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> InstanceViewPage:
        """One page of the list; `next_cursor` is the `cursor` of the next one."""
        query = {"status": status, "model": model, "organization": organization, "limit": limit, "cursor": cursor}
        return read(InstanceViewPage, self._connection.call("GET", path(_INSTANCES), query=query))

    def terminate(self, instance_id: UUID | str) -> InstanceView:
        """End it, and release all it holds."""
        return read(InstanceView, self._connection.call("DELETE", path(_INSTANCES, instance_id)))

    def drain(self, instance_id: UUID | str) -> InstanceView:
        """Let running requests end, then terminate."""
        return self._intend(instance_id, "drain")

    def reinstall(self, instance_id: UUID | str) -> InstanceView:
        """Install the worker again on the same server."""
        return self._intend(instance_id, "reinstall")

    def archive(self, instance_id: UUID | str) -> InstanceView:
        """Put an ended instance away."""
        return self._intend(instance_id, "archive")

    def timeline(self, instance_id: UUID | str) -> Iterator[TimelineRow]:
        """What happened to it, oldest first."""
        for row in self._connection.pages(path(_INSTANCES, instance_id, "timeline")):
            yield read(TimelineRow, row)

    def logs(self, instance_id: UUID | str, *, source: Source | str | None = None, tail: int | None = None) -> Log:
        """The last lines, `tail` of them, of its install or (`source`) of its worker."""
        query = {"source": source, "tail": tail}
        return read(Log, self._connection.call("GET", path(_INSTANCES, instance_id, "logs"), query=query))

    def critical_path(self, instance_id: UUID | str, *, attempt: int | None = None) -> CriticalPath:
        """What its launch waited for, step by step."""
        query = {"attempt": attempt}
        found = self._connection.call("GET", path(_INSTANCES, instance_id, "critical-path"), query=query)
        return read(CriticalPath, found)

    def usual_steps(self, instance_id: UUID | str) -> UsualSteps:
        """How long each step of a launch like this one usually takes."""
        return read(UsualSteps, self._connection.call("GET", path(_INSTANCES, instance_id, "steps")))

    def watch(
        self, instance_id: UUID | str, *, timeout_s: float | None = None, patience_s: float | None = None
    ) -> Generator[Progress]:
        """How it is now, then after each event and with each estimate, until it is ready, has failed, or is gone.

        `timeout_s`: it ends after so many seconds, too; the time is looked at whenever the api says something, which it
        does every 15 s at least. `patience_s`: how long a lost api may stay away, None: for ever.

        Raises ApiError, NoAnswer, StreamLost, UnexpectedAnswer.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        where, after = path(_INSTANCES, instance_id, "events"), ""
        while True:
            events = self._connection.follow(where, after=after, patience_s=patience_s, until=until)
            try:
                with events, closing(self._steps(instance_id, events)) as steps:
                    for step in steps:
                        yield step
            except EventsLost as lost:
                after = lost.position
            else:
                return

    def wait_until_ready(
        self,
        instance_id: UUID | str,
        *,
        timeout_s: float | None = None,
        patience_s: float | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> InstanceView:
        """The instance, once it is ready. `progress` is called with each step on the way there, like `watch`.

        Raises InstanceFailed if it has failed, was drained or was ended, WaitTimedOut after `timeout_s`, or like
        `watch`.
        """
        last: InstanceView | None = None
        with closing(self.watch(instance_id, timeout_s=timeout_s, patience_s=patience_s)) as steps:
            for step in steps:
                last = step.instance
                if progress is not None:
                    progress(step)
        if last is not None and last.group == StatusGroup.READY:
            return last
        if last is not None and settled(last):
            error = last.error
            why = f"{error.code}: {error.message}" if error else f"it is {last.status_label}."
            raise InstanceFailed(f"{last.name} will not be ready: {why}", last)
        raise WaitTimedOut(f"{last.name if last else instance_id} is not ready after {timeout_s} s.", last)

    def _steps(self, instance_id: UUID | str, messages: Following) -> Generator[Progress]:
        last: Progress | None = None
        for message in messages:
            # the stream is open, so nothing that happens after this answer is missed
            step = last.after(message_of(message)) if last else Progress(self.get(instance_id))
            if step is None:
                continue
            last = step
            yield step
            if settled(step.instance):
                return

    def _launched(self, method: str, where: str, body: InstanceBody | None, key: str | None) -> NewInstance:
        headers = {"Idempotency-Key": key or str(uuid4())}
        return read(
            NewInstance,
            self._connection.call(method, where, body=body, headers=headers, repeatable=True),
        )

    def _intend(self, instance_id: UUID | str, verb: str) -> InstanceView:
        return read(InstanceView, self._connection.call("POST", path(_INSTANCES, instance_id, verb)))
