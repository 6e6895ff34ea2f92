"""Says in a Slack channel when an instance becomes ready, is lost, or fails. SLACK_WEBHOOK_URL is an incoming webhook.

A durable consumer remembers what was said: nothing is missed while this program does not run.
"""

import asyncio
import json
import os
from typing import Any
from urllib.request import Request, urlopen

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

MARKS = {
    "InstanceReady": ":large_green_circle:",
    "HealthLost": ":large_yellow_circle:",
    "ProvisioningFailed": ":red_circle:",
    "StartupFailed": ":red_circle:",
    "InstanceFailed": ":red_circle:",
    "ServerLost": ":red_circle:",
}


def words(event: dict[str, Any]) -> str:
    instance = event["data"]["instance"]
    wish, error = instance["specification"], instance["error"]
    why = f": {error['message']}" if error else ""
    return f"{MARKS[event['type']]} *{wish['name']}* ({wish['model']}) is {instance['status']}{why}"


def post(text: str) -> None:
    """Raises OSError if Slack does not take it; the event then comes again."""
    body = json.dumps({"text": text}).encode()
    request = Request(os.environ["SLACK_WEBHOOK_URL"], body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=10):
        print("posted", text, flush=True)


async def main() -> None:
    connection = await nats.connect(os.environ["NATS_URL"])
    config = ConsumerConfig(
        filter_subjects=[f"lifecycle.*.{event}" for event in MARKS],
        deliver_policy=DeliverPolicy.NEW,  # the past is no news
    )
    events = await connection.jetstream().pull_subscribe(
        "", durable="slack-notifier", stream="LIFECYCLE", config=config
    )
    print("listening", flush=True)
    while True:
        try:
            messages = await events.fetch(1, timeout=30)
        except TimeoutError:
            continue
        for message in messages:
            try:
                await asyncio.to_thread(post, words(json.loads(message.data)))
            except OSError as error:
                print("Slack does not answer:", error, flush=True)
                await message.nak(delay=30)
            else:
                await message.ack()


asyncio.run(main())
