"""Drains instances that nobody has asked anything for a while; what belongs to a deployment is left to it.

IDLE_MINUTES is the policy: so long without a finished request. KEEP names those that stay, with commas between them. A
drained instance finishes what it answers, and is then terminated. `idle_shutdown` does the same for one instance.
"""

import json
import os
import time
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

IDLE_MINUTES = float(os.environ.get("IDLE_MINUTES", "30"))
KEEP = os.environ.get("KEEP", "").split(",")


def call(method: str, path: str) -> Any:
    """Raises OSError."""
    headers = {"Authorization": f"Bearer {os.environ['COLDSTART_API_KEY']}"}
    request = Request(os.environ["COLDSTART_API_URL"] + path, headers=headers, method=method)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def ready() -> list[dict[str, Any]]:
    found, cursor = [], ""
    while cursor is not None:
        page = call("GET", f"/instances?status=ready&limit=100{cursor and '&cursor=' + cursor}")
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def requests_so_far() -> dict[str, int]:
    usage = call("GET", "/usage?group_by=instance")["items"]
    return {one["instance_id"]: one["requests"] for one in usage}


def main() -> None:
    seen: dict[str, tuple[int, datetime]] = {}
    while True:
        now, counts = datetime.now(UTC), requests_so_far()
        for one in ready():
            count, since = seen.get(one["id"], (-1, now))
            if counts.get(one["id"], 0) != count:
                count, since = counts.get(one["id"], 0), now
            seen[one["id"]] = (count, since)
            minutes = (now - since).total_seconds() / 60
            if minutes >= IDLE_MINUTES and not one["replica"] and one["name"] not in KEEP:
                call("POST", f"/instances/{one['id']}/drain")
                print(f"draining {one['name']}: no request for {minutes:.0f} minutes", flush=True)
        time.sleep(60)


main()
