"""A launch is asked for again while whoever was asked says nothing."""

from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.connection import connect
from shared.launching import QUEUE, SUBJECT, LaunchReply, LaunchRequest, LaunchUnanswered, request_launch

REQUEST = LaunchRequest(deployment_id=UUID(int=1), instance_id=UUID(int=2))
LAUNCHED = LaunchReply(outcome="launched")


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


async def asked(
    connection: Client, *, silent: int, timeout_s: float = 30.0, again_after_s: float = 0.01
) -> list[bytes]:
    """The questions until the answer, where so many of the first stay unanswered."""
    questions: list[bytes] = []

    async def hear(message: Msg) -> None:
        questions.append(message.data)
        if len(questions) > silent:
            await message.respond(LAUNCHED.model_dump_json().encode())

    await connection.subscribe(SUBJECT, queue=QUEUE, cb=hear)
    await connection.flush()
    assert await request_launch(connection, REQUEST, timeout_s, again_after_s=again_after_s) == LAUNCHED
    return questions


async def test_an_api_that_was_killed_while_it_judged_is_not_waited_for(connection: Client) -> None:
    questions = await asked(connection, silent=2)
    assert questions == [REQUEST.model_dump_json().encode()] * 3


async def test_who_answers_is_asked_once(connection: Client) -> None:
    assert len(await asked(connection, silent=0, again_after_s=20.0)) == 1


async def test_an_answer_to_the_first_question_counts_after_the_second(connection: Client) -> None:
    first: list[Msg] = []

    async def hear(message: Msg) -> None:
        first.append(message)
        if len(first) > 1:
            await first[0].respond(LAUNCHED.model_dump_json().encode())

    await connection.subscribe(SUBJECT, queue=QUEUE, cb=hear)
    await connection.flush()
    assert await request_launch(connection, REQUEST, 30.0, again_after_s=0.01) == LAUNCHED


async def test_without_any_answer_the_time_that_was_given_is_said(connection: Client) -> None:
    with pytest.raises(LaunchUnanswered, match=r"no answer within 0\.1 s"):
        await asked(connection, silent=100, timeout_s=0.1)


async def test_that_no_api_runs_is_said_at_once(connection: Client) -> None:
    with pytest.raises(LaunchUnanswered, match="no api is running"):
        await request_launch(connection, REQUEST, 30.0)
