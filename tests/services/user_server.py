"""A user's server: answers 200 at /v1/models after a while, may have a child, may be deaf to SIGTERM."""

from __future__ import annotations

import http.server
import signal
import subprocess
import sys
import time

port = int(sys.argv[1])
flags = sys.argv[2:]
if "--with-child" in flags:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("child", child.pid, flush=True)
if "--deaf" in flags:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--fail" in flags:
    sys.exit("CUDA out of memory")
born_s = time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        loading = "--never-ready" in flags or time.monotonic() - born_s < 0.3
        self.send_response(503 if loading else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()


print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
