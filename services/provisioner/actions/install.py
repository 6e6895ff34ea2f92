"""Installs the worker over SSH. The machine runs each try once, whoever asks; we attach to it and record its output."""

import time
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.host_key import note_host_key, see_new_host_key
from services.provisioner.actions.install_job import job_of
from services.provisioner.actions.install_reports import InstallReports
from services.provisioner.actions.listening import while_wanted
from services.provisioner.actions.printed import Printed
from services.provisioner.install.causes import cause_of
from services.provisioner.install.failures import in_vain
from services.provisioner.install.script import (
    COMMAND,
    INTERRUPTED,
    STILL_RUNNING,
    SUPERSEDED,
    InstallJob,
    stdin_of,
)
from services.provisioner.provider import Rejected, TryAgain
from services.provisioner.retry import fail, translated
from shared.host_keys import accepted_host_keys
from shared.lifecycle.events import (
    MachineSealed,
    SshInstallCompleted,
    SshInstallFailed,
    SshInstallStarted,
)
from shared.lifecycle.instance import Instance
from shared.machine import Exited, KeyRefused, Session, Unreachable, WrongHostKey
from shared.retry import backoff_s

INSTALL_FAILED: Final = "install_failed"
INSTALL_TIMED_OUT: Final = "install_timed_out"
HOST_KEY_MISMATCH: Final = "host_key_mismatch"
KEY_REFUSED: Final = "key_refused"
UNREACHABLE: Final = "machine_unreachable"
NO_WEIGHTS: Final = "weights_not_listed"
NO_RESULT: Final = {
    SUPERSEDED: ("install_superseded", "the machine knows a later install than this one"),
    INTERRUPTED: ("install_interrupted", "the install vanished without a result"),
    STILL_RUNNING: ("install_still_running", "an earlier install could not be ended"),
}
"""Exit statuses after which this try has neither succeeded nor failed."""
log = structlog.get_logger()


async def install(context: ActionContext) -> None:
    """Try until it succeeds. Trouble in reaching the machine is waited out until the deadline, and is no failed try."""
    installing = _Install(context)
    while not installing.over:
        try:
            await translated(context, installing.once)
        except Rejected as error:
            await fail(context, error.code, error.message)
            return
        except TryAgain as error:
            await installing.wait(error)


def sealing(job: InstallJob) -> InstallJob:
    """The same for a machine of which an image is made: what a worker would need never reaches its disk.

    Its models are on its boot disk, which alone is stored, so no other disk is taken.
    """
    return replace(job, seals=True, api_key="", certificates=None, host_key_private=None, ours=False, scratch=False)


class _Install:
    def __init__(self, context: ActionContext) -> None:
        self.over = False
        self._context = context
        self._waited = False
        self._refused_at: float | None = None
        """When the machine refused our key for the first time since it last let it in."""

    async def once(self) -> None:
        """One connection to the machine, until its running try ends. Raises ProviderError."""
        instance = await self._context.guard()
        failures = await self._failures(instance)
        if self._in_vain(failures):
            await self._give_up(failures[-1])
            return
        if instance.ip_address is None:
            raise TryAgain(UNREACHABLE, "the machine has no address")
        try:
            async with self._context.dependencies.shell.open(
                instance.ip_address, accepted_host_keys(self._context.dependencies.secrets, instance)
            ) as session:
                self._refused_at = None
                await self._on(session)
        except KeyRefused as error:
            self._refused_at = self._refused_at or time.monotonic()
            raise TryAgain(KEY_REFUSED, str(error)) from error
        except Unreachable as error:
            raise TryAgain(UNREACHABLE, str(error)) from error
        except WrongHostKey as error:
            raise TryAgain(HOST_KEY_MISMATCH, str(error)) from error

    async def wait(self, error: TryAgain) -> None:
        """Wait for the next connection. Past the deadline the instance fails, but every holder tries at least twice.

        A wrong host key is waited out, too: a new address may still lead to the machine that had it before. A machine
        that does not let our key in gets less time: it costs money, and seldom changes its mind.
        """
        settings = self._context.settings
        number = (await self._context.guard()).failed_tries.get(self._context.action, 0) + 1
        pause = backoff_s(number, settings.backoff_seconds, settings.longest_backoff_seconds)
        in_time = self._context.age_s() + pause <= settings.install_deadline_seconds and not self._refused_too_long()
        if self._waited and not in_time:
            code = error.code if error.code in {HOST_KEY_MISMATCH, KEY_REFUSED} else INSTALL_TIMED_OUT
            await fail(self._context, code, f"gave up after {self._context.age_s():.0f} s: {error.message}")
            self.over = True
            return
        self._waited = True
        await self._context.delay(error.code, error.message, pause)
        await self._context.lease.sleep(pause)

    def _refused_too_long(self) -> bool:
        patience_s = self._context.settings.key_patience_seconds
        return self._refused_at is not None and time.monotonic() - self._refused_at > patience_s

    async def _on(self, session: Session) -> None:
        instance = await self._context.guard()
        await self._context.conclude(
            SshInstallStarted(
                instance_id=instance.id,
                occurred_at=now(),
                attempt=instance.attempt,
                worker_tls=self._context.settings.worker_tls,
            )
        )
        await self._context.resume()
        instance = await self._context.guard()
        job = await job_of(self._context, instance)
        if instance.specification.builds_image:
            job = sealing(job)
            if job.model and job.weights is None:
                raise TryAgain(NO_WEIGHTS, f"the hub gave no list of the files of {job.model}, which are to be stored")
        await note_host_key(self._context, session)
        reports = InstallReports(self._context, job)
        status = await self._listened(session, job, reports)
        if status == 0 and job.seals:
            await self._context.conclude(
                MachineSealed(
                    instance_id=self._context.instance_id,
                    occurred_at=now(),
                    attempt=job.attempt,
                    commit=reports.commit,
                    warmed=None if reports.warmed is None else reports.warmed.reason is None,
                    not_warmed_because=None if reports.warmed is None else reports.warmed.reason,
                )
            )
            self.over = True
        elif status == 0:
            await see_new_host_key(self._context, self._context.settings.key_rotation_seconds)
            await self._context.conclude(
                SshInstallCompleted(instance_id=self._context.instance_id, occurred_at=now(), attempt=job.attempt)
            )
            self.over = True
        elif status in NO_RESULT:
            raise TryAgain(*NO_RESULT[status])
        else:
            await self._failed(job, status, reports)

    async def _listened(self, session: Session, job: InstallJob, reports: InstallReports) -> int:
        """Record each phase as it is printed; returns the exit status."""
        printed = Printed(self._context, job)
        async with (
            printed.publishing(),
            aclosing(session.run(COMMAND, stdin_of(job))) as machine,
            aclosing(while_wanted(self._context, machine, partial(self._check_time, reports))) as saying,
        ):
            async for line in saying:
                if isinstance(line, Exited):
                    return line.status
                await reports.heard(line, printed)
        raise Unreachable("the machine stopped talking before the install had ended")

    async def _failed(self, job: InstallJob, status: int, reports: InstallReports) -> None:
        failure = SshInstallFailed(
            instance_id=self._context.instance_id,
            occurred_at=now(),
            attempt=job.attempt,
            install_try=job.attempt_try,
            exit_status=status,
            phase=reports.phase,
            output=tuple(reports.lines),
            reason=self._reason(status, reports),
        )
        instance = await self._context.conclude(failure)
        context = {"instance_id": str(instance.id), "instance": instance.specification.name}
        log.warning("install failed", **context, install_try=job.attempt_try, reason=failure.reason)
        settings = self._context.settings
        pause = backoff_s(job.attempt_try, settings.backoff_seconds, settings.longest_backoff_seconds)
        too_late = self._context.age_s() + pause > settings.install_deadline_seconds
        if too_late or self._in_vain(await self._failures(instance)):
            await self._give_up(failure)
            return
        await self._context.delay(self._code_of(failure), failure.reason, pause)
        await self._context.lease.sleep(pause)

    def _reason(self, status: int, reports: InstallReports) -> str:
        """What went wrong and, where the tools' words tell it, what that means and what to do."""
        where = f"exit status {status} in phase {reports.phase or 'none'}"
        if shown := cause_of(tuple(reports.lines), self._context.settings.machine_proxies):
            explained = shown.cause.explained
            return f"{explained.means} {explained.advice} It was {where}: {shown.line}"
        return f"{where}: {reports.lines[-1] if reports.lines else 'it said nothing'}"

    async def _failures(self, instance: Instance) -> list[SshInstallFailed]:
        """The failed tries of this attempt, oldest first; none as long as they are too few to end it."""
        if instance.install.failures < self._context.settings.install_tries:
            return []
        events = [recorded.event async for recorded in self._context.dependencies.journal.history(instance.id)]
        failed = [event for event in events if isinstance(event, SshInstallFailed)]
        return [event for event in failed if event.attempt == instance.attempt]

    def _in_vain(self, failures: list[SshInstallFailed]) -> bool:
        """Tries end with the deadline, or once they fail alike. What passes, such as a dead mirror, ends none."""
        settings = self._context.settings
        return in_vain(failures, settings.install_tries, settings.machine_proxies)

    async def _give_up(self, last: SshInstallFailed) -> None:
        tries = f"all {last.install_try} tries failed; the last one: " if last.install_try > 1 else ""
        await fail(self._context, self._code_of(last), f"{tries}{last.reason}")
        self.over = True

    def _code_of(self, failure: SshInstallFailed) -> str:
        shown = cause_of(failure.output, self._context.settings.machine_proxies)
        return shown.cause.code if shown else INSTALL_FAILED

    def _check_time(self, reports: InstallReports) -> None:
        age_s = self._context.age_s()
        if age_s > self._context.settings.install_deadline_seconds:
            waited = f"; it has waited for {reports.waited_for[-1]}" if reports.waited_for else ""
            raise Rejected(INSTALL_TIMED_OUT, f"still in phase {reports.phase or 'none'} after {age_s:.0f} s{waited}")
