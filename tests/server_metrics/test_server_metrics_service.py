"""The service in its own process, beside servers that answer and servers that do not."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time

import pytest
from metrics_pages import counter, gauge, sample
from scripted_http import ScriptedServer, answer

from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.server_metrics import messages as m
from pytest_aiperf.server_metrics.collected import CollectedMetrics
from pytest_aiperf.server_metrics.sample import Reason, ServerNote
from pytest_aiperf.server_metrics.scrape import Scraper
from pytest_aiperf.server_metrics.settings import ServerMetricsSettings
from pytest_aiperf.services.controller import SystemController
from pytest_aiperf.services.server_metrics_service import ServerMetricsService, _Page

WAIT_S = 30.0


def until(true, *, by_s=WAIT_S):
    """Wait for something, on the clock of a machine that is busy."""
    end = time.monotonic() + by_s
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def sent(one, known=None):
    """What arrives of a message, by way of its payload."""
    message = m.ServerSampleMessage.of(one, known=known)
    return m.ServerSampleMessage.from_payload(message.to_payload(), [memoryview(b) for b in message.buffers])


def test_it_is_registered_and_may_be_done_without():
    entry = plugins.entry(PluginType.SERVICE, "server_metrics")
    assert entry.metadata == {"required": False, "auto_start": False}


def test_a_server_is_looked_at_and_a_stalled_exporter_delays_nothing(tmp_path):
    """Looks at the interval, looks on demand, who it is, one note for each reason, and an end in good order."""
    numbers = itertools.count(10)

    def count():
        return answer(f"vllm:generation_tokens_total {next(numbers)}\nvllm:num_requests_running 2\n")

    version = answer('{"version": "0.11.0"}', content_type="application/json")
    with (
        ScriptedServer(**{"/metrics": count, "/version": version}) as good,
        ScriptedServer(**{"/metrics": None}) as stalled,
        ScriptedServer() as bare,
        SystemController(log_dir=tmp_path) as controller,
    ):
        told = CollectedMetrics()
        for message_type in CollectedMetrics.SUBSCRIBES:
            controller.subscribe(message_type, told.take)
        pages = tuple(f"{server.url}/metrics" for server in (good, stalled, bare))
        settings = ServerMetricsSettings(bases=(good.url,), pages=pages, interval_s=0.1, deadline_s=2.5)
        controller.start("server_metrics", settings.model_dump(mode="json"))
        controller.wait_ready()
        until(lambda: {note.reason for note in told.notes} == {Reason.TIMEOUT, Reason.STATUS})
        until(lambda: told.identities)

        # From here on the stalled page has failed: it must not be waited for.
        assert told.look(controller.publish, wait_s=WAIT_S)
        start_ns = time.time_ns()
        until(lambda: told.window(start_ns, time.time_ns()).gauge("requests_running") is not None)
        end_ns = time.time_ns()
        assert told.look(controller.publish, wait_s=WAIT_S)
        window = told.window(start_ns, end_ns)
        looked_at_bare = bare.count("/metrics")
        controller.check()
    assert window.counter("generated_tokens").delta >= 2
    assert window.gauge("requests_running").mean == 2.0
    assert [(page.url, page.server) for page in window.pages] == [(pages[0], "vLLM")]
    assert window.pages[0].before_s >= 0
    assert window.pages[0].after_s >= 0
    assert any("was not there within 2.5 s" in note for note in window.notes)
    assert [note.url for note in told.notes].count(pages[2]) == 1
    assert looked_at_bare < good.count("/metrics")  # it is asked ever less often
    (identity,) = told.identities
    assert (identity.url, identity.name, identity.version) == (good.url, "vLLM", "0.11.0")


@pytest.fixture
def service():
    """The service in this process, with one page that is well and one that failed; nothing runs by itself."""
    settings = ServerMetricsSettings(
        bases=(), pages=("http://127.0.0.1:1/a", "http://127.0.0.1:1/b"), interval_s=1, deadline_s=5
    )
    made = ServerMetricsService(None, settings.model_dump(mode="json"))
    made._pages = [_Page(scraper=Scraper(None, url), server=None) for url in settings.pages]
    made._pages[1].failures = 1
    return made


def test_a_page_that_failed_is_not_waited_for_when_a_run_begins(service, monkeypatch):
    looked, said = [], []

    async def scrape(page):
        looked.append(page.scraper.url)

    async def publish(message):
        said.append(message)

    monkeypatch.setattr(service, "_scrape", scrape)
    monkeypatch.setattr(service, "publish", publish)
    asyncio.run(service._look(m.ServerLookMessage(number=3)))
    assert looked == ["http://127.0.0.1:1/a"]
    assert [message.number for message in said] == [3]


def test_a_page_that_fails_is_asked_ever_less_often_and_at_last_once_a_minute(service, monkeypatch):
    results = iter([0, *range(1, 9), 0])
    pauses = []

    async def scrape(page):
        page.failures = next(results, None)
        if page.failures is None:
            raise asyncio.CancelledError

    async def sleep(pause_s):
        pauses.append(round(pause_s))

    monkeypatch.setattr(service, "_scrape", scrape)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(service._watch(service._pages[0]))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 1]


def test_a_sample_travels_as_columns_and_its_names_only_once():
    """Numeric columns are raw buffers (systems.md E)."""
    first = counter(5, 1)
    second = sample("vllm:generation_tokens_total 9\n", 2)
    arrived = sent(first).sample(())
    assert arrived == first
    again = m.ServerSampleMessage.of(first, known=first.keys)
    assert "keys" not in {name for name, value in again.to_payload().items() if value is not None}
    assert again.sample(arrived.keys) == first
    assert sent(second, known=first.keys).keys is not None  # an equal list of another origin is sent again


def test_what_was_collected_is_told_by_window():
    told = CollectedMetrics()
    for value, at in ((10, 1), (20, 9), (50, 21), (900, 50)):
        told.take(sent(counter(value, at)))
    told.take(sent(gauge(3, 15, url="http://b/metrics")))
    window = told.window(10_000_000_000, 20_000_000_000)
    assert window.counter("generated_tokens").delta == 30
    assert window.gauge("requests_waiting").mean == 3


def test_pages_that_told_nothing_are_named_in_the_window():
    told = CollectedMetrics()
    note = ServerNote(url="http://b/metrics", reason=Reason.STATUS, text="http://b/metrics answers 404")
    told.take(m.ServerNoteMessage(url=note.url, reason=note.reason, text=note.text))
    assert told.window(0, 10).notes == (note.text,)
    assert told.notes == (note,)
    told.take(sent(gauge(3, 1, url="http://b/metrics")))
    assert told.window(0, 10).notes != (note.text,)


@pytest.mark.parametrize("answers", [True, False])
def test_a_look_ends_when_it_is_answered_and_when_it_is_not(answers):
    told = CollectedMetrics()

    def publish(message):
        if answers:
            reply = m.ServerLookedMessage(number=message.number)
            threading.Thread(target=told.take, args=(reply,)).start()

    assert told.look(publish, wait_s=WAIT_S if answers else 0.05) is answers


def test_the_answer_to_an_earlier_look_does_not_end_a_later_one():
    told = CollectedMetrics()
    told.look(lambda message: None, wait_s=0)
    late = m.ServerLookedMessage(number=1)
    assert not told.look(lambda message: told.take(late), wait_s=0.05)
