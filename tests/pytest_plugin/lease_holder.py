"""A worker for the lease's tests: ``lease_holder.py PORT TOKEN exclusive|shared OWNER``; holds until stdin ends.

``count FILE N`` instead of an owner takes N leases in a row and keeps a ledger of who is inside.
"""

from __future__ import annotations

import os
import sys
import time

from pytest_aiperf.pytest_plugin.lease import Lease

port, token, kind, *what = sys.argv[1:]
lease = Lease(("127.0.0.1", int(port)), token)

if what[0] == "count":
    ledger = os.open(what[1], os.O_WRONLY | os.O_APPEND)
    for _ in range(int(what[2])):
        with lease:
            lease.acquire(exclusive=kind == "exclusive", owner=f"{kind} {os.getpid()}")
            os.write(ledger, f"in {kind}\n".encode())
            time.sleep(0.001)
            os.write(ledger, f"out {kind}\n".encode())
else:
    print("asking", flush=True)
    lease.acquire(exclusive=kind == "exclusive", owner=what[0])
    print("holds", flush=True)
    sys.stdin.read()
