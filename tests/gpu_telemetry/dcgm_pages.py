"""Pages as DCGM's exporter writes them, made up, and a server that can misbehave.

The format is that of the exporter's template: labels ``gpu, UUID, pci_bus_id, device, modelName``, then those of a
slice, then ``Hostname``, then those that its list of counters calls labels; whole numbers plain, others with six
decimals. No value was read from a card.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UUID = "GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52"

BUSY = {
    "DCGM_FI_DEV_SM_CLOCK": 1755,
    "DCGM_FI_DEV_MEM_CLOCK": 2619,
    "DCGM_FI_DEV_GPU_TEMP": 62,
    "DCGM_FI_DEV_POWER_USAGE": "690.500000",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 5_006_900_000,
    "DCGM_FI_DEV_GPU_UTIL": 100,
    "DCGM_FI_DEV_MEM_COPY_UTIL": 40,
    "DCGM_FI_DEV_XID_ERRORS": 0,
    "DCGM_FI_DEV_FB_FREE": 5000,
    "DCGM_FI_DEV_FB_USED": 76000,
    "DCGM_FI_DEV_FB_RESERVED": 559,
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 3,
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 4,
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": "700.000000",
    "DCGM_FI_PROF_PCIE_TX_BYTES": 5_000_000,
    "DCGM_FI_PROF_PCIE_RX_BYTES": 9_000_000,
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": "0.970000",
}


def labels(gpu=0, uuid=UUID, *, host="node1", part=None, **more):
    told = {
        "gpu": gpu,
        "UUID": uuid,
        "pci_bus_id": "00000000:0A:00.0",
        "device": f"nvidia{gpu}",
        "modelName": "NVIDIA H100 80GB HBM3",
        **({} if part is None else {"GPU_I_PROFILE": part[0], "GPU_I_ID": part[1]}),
        "Hostname": host,
        "DCGM_FI_DRIVER_VERSION": "580.0.1",
        **more,
    }
    return ",".join(f'{name}="{value}"' for name, value in told.items())


def page(*gpus):
    """``gpus`` are pairs of labels and figures."""
    names = dict.fromkeys(name for _, figures in gpus for name in figures)
    lines = [
        "# HELP promhttp_metric_handler_requests_total Scrapes.",
        "promhttp_metric_handler_requests_total 7",
    ]
    for name in names:
        kind = "counter" if "TOTAL" in name else "gauge"
        lines += [f"# HELP {name} Help text (in units).", f"# TYPE {name} {kind}"]
        lines += [f"{name}{{{told}}} {figures[name]}" for told, figures in gpus if name in figures]
    return "\n".join(lines).encode() + b"\n"


def busy(**changed):
    return page((labels(), {**BUSY, **changed}))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def log_message(self, *_):
        pass


def plain(text, *, status=200, content_type="text/plain; version=0.0.4"):
    """An answer with this body."""

    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def endless(chunk, *, pause=None):
    """An answer that does not end before the reader goes, or `pause`, an event, is set."""

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while not (pause and pause.wait(0.05)):
                handler.wfile.write(chunk)
        except OSError:
            pass

    return answer


def silent(until):
    """No answer before the event `until` is set."""
    return lambda _handler: until.wait(60)


@contextmanager
def exporter(answer):
    """A server on loopback; its ``answer`` can be replaced, ``asked`` has the requests."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.answer, server.asked = answer, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
