"""A small chat server that knows the answers, until it is made faster."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def quiz_server(*, think_s: float, knows: bool) -> Iterator[str]:
    """Yield the URL of a server that answers ``What is 3 + 4?``, rightly if it `knows`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            a, b = map(int, re.findall(r"\d+", asked["messages"][-1]["content"]))
            time.sleep(think_s)
            words = ["The", " sum", " is ", f"{a + b + (not knows)}."]
            events = [_event({"content": word}) for word in words] + [_event({}, "stop"), b"data: [DONE]\n\n"]
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(sum(map(len, events))))
            self.end_headers()
            for event in events:
                self.wfile.write(event)
                time.sleep(think_s / 10)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode()
