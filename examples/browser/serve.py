"""Serves live.html at http://127.0.0.1:8090, and the events with it: the key stays here, out of the browser."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

PAGE = Path(__file__).with_name("live.html").read_bytes()
EVENTS = os.environ["COLDSTART_API_URL"] + "/events"
PORT = int(os.environ.get("PORT", "8090"))


class Live(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/":
            self.begin("text/html; charset=utf-8")
            self.wfile.write(PAGE)
        elif self.path == "/events":
            self.follow()
        else:
            self.send_error(404)

    def follow(self) -> None:
        """A browser that comes back says which event it has seen last, so it misses none."""
        last = self.headers.get("Last-Event-ID")
        headers = {"Authorization": f"Bearer {os.environ['COLDSTART_API_KEY']}"}
        request = Request(EVENTS if last else f"{EVENTS}?from=start", headers=headers)
        if last:
            request.add_header("Last-Event-ID", last)
        with urlopen(request) as events:
            self.begin("text/event-stream")
            for line in events:
                self.wfile.write(line)

    def begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()


print(f"http://127.0.0.1:{PORT}", flush=True)
ThreadingHTTPServer(("127.0.0.1", PORT), Live).serve_forever()
