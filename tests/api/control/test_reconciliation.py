"""Reconciliation on demand, as the api asks for it."""

from datetime import UTC, datetime

from nats.aio.msg import Msg

from shared.reconciliation import QUEUE, SUBJECT, ReconciliationReply, ReconciliationRequest, Report
from tests.api.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REPORT = Report(provider="scaleway", began_at=NOW, ended_at=NOW, servers=3)


async def test_the_reports_of_a_provisioner_are_the_answer(stage: Stage) -> None:
    asked: list[ReconciliationRequest] = []

    async def answer(message: Msg) -> None:
        asked.append(ReconciliationRequest.model_validate_json(message.data))
        await message.respond(ReconciliationReply(reports=(REPORT,)).model_dump_json().encode())

    await stage.connection.subscribe(SUBJECT, queue=QUEUE, cb=answer)
    await stage.connection.flush()
    api = await stage.api()
    answered = await api.client.post("/reconcile", json={"delete_unknown": True})
    assert answered.status_code == 200, answered.text
    assert answered.json()["items"] == [REPORT.model_dump(mode="json")]
    assert [request.delete_unknown for request in asked] == [True]


async def test_without_a_provisioner_somebody_is_told_to_start_one(stage: Stage) -> None:
    api = await stage.api()
    answered = await api.client.post("/reconcile", json={})
    assert (answered.status_code, answered.json()["code"]) == (503, "no_provisioner")


async def test_a_provisioner_that_takes_long_is_not_waited_for_without_end(stage: Stage) -> None:
    async def silent(_: Msg) -> None:
        """The work continues."""

    await stage.connection.subscribe(SUBJECT, queue=QUEUE, cb=silent)
    await stage.connection.flush()
    api = await stage.api(reconcile_timeout_seconds=0.2)
    answered = await api.client.post("/reconcile", json={})
    assert (answered.status_code, answered.json()["code"]) == (504, "reconciliation_unfinished")


async def test_only_an_administrator_may_ask_for_it(stage: Stage) -> None:
    api = await stage.api()
    async with api.as_(await api.user_key()) as user:
        for path in ("/reconcile", "/costs"):
            answered = await (user.post(path, json={}) if path == "/reconcile" else user.get(path))
            assert answered.status_code == 403
        assert (await user.get("/instance-types")).status_code == 200
