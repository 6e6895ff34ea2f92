"""A constant load of an unmodified client: as many requests a second as asked for, whatever became of those before."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import openai
from openai import AsyncOpenAI

from shared.running import alongside
from tests.integration.line import Line
from tests.scaler.deployed import asked, client, streamed

PER_S: Final = 10
STREAMED: Final = 3
"""Every third request is a stream."""


@dataclass
class Answers:
    right: int = 0
    wrong: list[str] = field(default_factory=list)

    async def ask(self, asking: AsyncOpenAI, number: int) -> None:
        text = f"number {number}."
        try:
            answer = await streamed(asking, text) if number % STREAMED == 0 else await asked(asking, text)
        except openai.APIError as error:
            answer = repr(error)
        if text in answer:
            self.right += 1
        else:
            self.wrong.append(answer)


@asynccontextmanager
async def constant_load(running: Line) -> AsyncGenerator[Answers]:
    """While the block runs. At its end, every answer is awaited."""
    answers = Answers()
    async with client(running) as asking, asyncio.TaskGroup() as requests:

        async def ask_on() -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            for number in count():
                requests.create_task(answers.ask(asking, number))
                await asyncio.sleep(max(0.0, began + (number + 1) / PER_S - loop.time()))

        async with alongside(ask_on()):
            yield answers
