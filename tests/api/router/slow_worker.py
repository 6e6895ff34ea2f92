"""A slow worker that can be killed: `python -m tests.api.router.slow_worker HOST PORT`."""

import asyncio
import sys

from aiohttp import web

from tests.api.router.scene import DONE, WORDS

PAUSE_S = 0.02


async def answer(request: web.Request) -> web.StreamResponse:
    if request.method != "POST":
        return web.Response()
    if not (await request.json()).get("stream"):
        await asyncio.sleep(2 * PAUSE_S)
        return web.json_response({"choices": []})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in (*5 * WORDS, DONE):  # for longer than a busy machine keeps its reader waiting
        await response.write(event)
        await asyncio.sleep(PAUSE_S)
    return response


if __name__ == "__main__":
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=sys.argv[1], port=int(sys.argv[2]), print=None)
