"""Instances: create, read, watch and end them."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Final, Unpack
from uuid import UUID, uuid4

from coldstart_client.addresses import path
from coldstart_client.aio.connection import AsyncConnection
from coldstart_client.aio.following import AsyncFollowing
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
from coldstart_client.bodies import InstanceBody
from coldstart_client.errors import EventsLost, InstanceFailed, WaitTimedOut
from coldstart_client.messages import message_of
from coldstart_client.progress import Progress, settled
from coldstart_client.reading import read

_INSTANCES: Final = "instances"


class AsyncInstances:
    """Each method raises ApiError, NoAnswer or UnexpectedAnswer."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(self, *, idempotency_key: str | None = None, **body: Unpack[InstanceBody]) -> NewInstance:
        """Ask for an instance; it is launched in the background.

        A repetition with the same key and body gives the same instance. Without a key one is made, so that a request
        whose answer is lost can be sent again.
        """
        return await self._launched("POST", path(_INSTANCES), body, idempotency_key)

    async def relaunch(self, instance_id: UUID | str, *, idempotency_key: str | None = None) -> NewInstance:
        """Launch a failed instance again, as another one with the same wishes."""
        return await self._launched("POST", path(_INSTANCES, instance_id, "relaunch"), None, idempotency_key)

    async def get(self, instance_id: UUID | str) -> InstanceView:
        """As it is now."""
        return read(InstanceView, await self._connection.call("GET", path(_INSTANCES, instance_id)))

    async def list(
        self,
        *,
        status: Status | str | Sequence[Status | str] | None = None,
        model: str | None = None,
        organization: str | None = None,
    ) -> AsyncIterator[InstanceView]:
        """All of them, newest first, page by page; archived ones only by their status."""
        query = {"status": status, "model": model, "organization": organization}
        async for row in self._connection.pages(path(_INSTANCES), query):
            yield read(InstanceView, row)

    async def page(
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
        return read(InstanceViewPage, await self._connection.call("GET", path(_INSTANCES), query=query))

    async def terminate(self, instance_id: UUID | str) -> InstanceView:
        """End it, and release all it holds."""
        return read(InstanceView, await self._connection.call("DELETE", path(_INSTANCES, instance_id)))

    async def drain(self, instance_id: UUID | str) -> InstanceView:
        """Let running requests end, then terminate."""
        return await self._intend(instance_id, "drain")

    async def reinstall(self, instance_id: UUID | str) -> InstanceView:
        """Install the worker again on the same server."""
        return await self._intend(instance_id, "reinstall")

    async def archive(self, instance_id: UUID | str) -> InstanceView:
        """Put an ended instance away."""
        return await self._intend(instance_id, "archive")

    async def timeline(self, instance_id: UUID | str) -> AsyncIterator[TimelineRow]:
        """What happened to it, oldest first."""
        async for row in self._connection.pages(path(_INSTANCES, instance_id, "timeline")):
            yield read(TimelineRow, row)

    async def logs(
        self, instance_id: UUID | str, *, source: Source | str | None = None, tail: int | None = None
    ) -> Log:
        """The last lines, `tail` of them, of its install or (`source`) of its worker."""
        query = {"source": source, "tail": tail}
        return read(Log, await self._connection.call("GET", path(_INSTANCES, instance_id, "logs"), query=query))

    async def critical_path(self, instance_id: UUID | str, *, attempt: int | None = None) -> CriticalPath:
        """What its launch waited for, step by step."""
        query = {"attempt": attempt}
        found = await self._connection.call("GET", path(_INSTANCES, instance_id, "critical-path"), query=query)
        return read(CriticalPath, found)

    async def usual_steps(self, instance_id: UUID | str) -> UsualSteps:
        """How long each step of a launch like this one usually takes."""
        return read(UsualSteps, await self._connection.call("GET", path(_INSTANCES, instance_id, "steps")))

    async def watch(
        self, instance_id: UUID | str, *, timeout_s: float | None = None, patience_s: float | None = None
    ) -> AsyncGenerator[Progress]:
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
                async with events, aclosing(self._steps(instance_id, events)) as steps:
                    async for step in steps:
                        yield step
            except EventsLost as lost:
                after = lost.position
            else:
                return

    async def wait_until_ready(
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
        async with aclosing(self.watch(instance_id, timeout_s=timeout_s, patience_s=patience_s)) as steps:
            async for step in steps:
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

    async def _steps(self, instance_id: UUID | str, messages: AsyncFollowing) -> AsyncGenerator[Progress]:
        last: Progress | None = None
        async for message in messages:
            # the stream is open, so nothing that happens after this answer is missed
            step = last.after(message_of(message)) if last else Progress(await self.get(instance_id))
            if step is None:
                continue
            last = step
            yield step
            if settled(step.instance):
                return

    async def _launched(self, method: str, where: str, body: InstanceBody | None, key: str | None) -> NewInstance:
        headers = {"Idempotency-Key": key or str(uuid4())}
        return read(
            NewInstance,
            await self._connection.call(method, where, body=body, headers=headers, repeatable=True),
        )

    async def _intend(self, instance_id: UUID | str, verb: str) -> InstanceView:
        return read(InstanceView, await self._connection.call("POST", path(_INSTANCES, instance_id, verb)))
