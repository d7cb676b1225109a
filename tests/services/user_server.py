"""A user's server: answers 200 at /v1/models after a while, may have a child, may be deaf to SIGTERM.

--with-child, --with-daemon: starts a process, the latter in a session of its own. --daemonise: leaves the foreground.
--wants-key: answers 401 to who has not the key "sesame".
"""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import time

port = int(sys.argv[1])
flags = sys.argv[2:]
if "--daemonise" in flags and os.fork():
    sys.exit()
if "--daemonise" in flags:
    os.setsid()
    print("child", os.getpid(), flush=True)
if "--with-child" in flags or "--with-daemon" in flags:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session="--with-daemon" in flags
    )
    print("child", child.pid, flush=True)
if "--deaf" in flags:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "--fail" in flags:
    sys.exit("CUDA out of memory")
born_s = time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        loading = "--never-ready" in flags or time.monotonic() - born_s < 0.3
        refused = "--wants-key" in flags and self.headers["Authorization"] != "Bearer sesame"
        self.send_response(503 if loading else 401 if refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()


print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
