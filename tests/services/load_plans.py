"""Plans for the embedded server."""

from __future__ import annotations

import threading

import orjson

from pytest_aiperf.engine import LoadPlan

TOKENS = 5


def make_plan(url, *, requests=8, concurrency=2, tokens=TOKENS, **given):
    body = {"stream": True, "max_tokens": tokens, "stream_options": {"include_usage": True}}
    bodies = [
        orjson.dumps(body | {"messages": [{"role": "user", "content": f"prompt {n}"}]})
        for n in range(requests)
    ]
    return LoadPlan(url=f"{url}/v1/chat/completions", bodies=bodies, concurrency=concurrency, **given)


class InThread:
    """Runs a call in a thread; `result` waits for it and returns or raises what it did."""

    def __init__(self, call):
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self._value, self._error = self._call(), None
        except BaseException as error:
            self._error = error

    def result(self):
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._value
