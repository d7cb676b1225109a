"""Readings from the collector to who asks for a window of them: nothing is lost, nothing is invented."""

from __future__ import annotations

import dataclasses
import threading
import time
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import START, S, gpu, steady

from pytest_aiperf.common.messages import Message, MessageError
from pytest_aiperf.gpu_telemetry.collector import GpuProcess, GpuSample
from pytest_aiperf.gpu_telemetry.gpu_log import GpuLog
from pytest_aiperf.gpu_telemetry.messages import (
    GpuInventoryMessage,
    GpuMessageType,
    GpuNoteMessage,
    GpuNowMessage,
    GpuSamplesMessage,
)
from pytest_aiperf.gpu_telemetry.sample_columns import COLUMNS, columns_of, samples_of
from pytest_aiperf.gpu_telemetry.sampler import Sampler

WAIT_S = 20.0
whole = st.none() | st.integers(0, 2**62)
number = st.none() | st.floats(0, 1e15)
processes = st.none() | st.lists(
    st.builds(GpuProcess, pid=st.integers(1, 2**31), memory_bytes=whole), max_size=3
).map(tuple)
samples = st.builds(
    GpuSample,
    index=st.integers(0, 3),
    stamp_ns=st.integers(1, 2**62),
    power_w=number,
    energy_mj=whole,
    utilisation_pct=number,
    memory_used_bytes=whole,
    sm_clock_mhz=whole,
    temperature_c=st.none() | st.integers(-50, 120),
    throttle_reasons=st.none()
    | st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(sorted).map(tuple),
    pcie_tx_bytes_per_s=number,
    ecc_corrected=whole,
    xid_errors=st.none() | st.lists(st.integers(0, 200), max_size=3).map(tuple),
    processes=processes,
)


def sent(message):
    """A message after its way through a channel."""
    return Message.from_payload(
        message.to_payload(), [memoryview(bytearray(bytes(column))) for column in message.buffers]
    )


def by_name(told):
    return [
        dataclasses.replace(
            one, throttle_reasons=one.throttle_reasons and tuple(sorted(one.throttle_reasons))
        )
        for one in told
    ]


@given(st.lists(samples, max_size=12))
def test_samples_come_through_a_message_as_they_were(given_):
    message = GpuSamplesMessage.of(given_, answers=3)
    assert len(message.buffers) == len(COLUMNS)
    came = sent(message)
    assert came.answers == 3
    assert by_name(samples_of(came.columns())) == given_


def test_what_is_no_finite_number_is_absent_when_it_arrives():
    odd = GpuSample(
        index=0,
        stamp_ns=1,
        power_w=float("nan"),
        utilisation_pct=float("inf"),
        energy_mj=2**70,
        sm_clock_mhz="1980",
        memory_used_bytes=True,
        temperature_c=61.9,
    )
    (came,) = samples_of(columns_of([odd]))
    assert came == GpuSample(index=0, stamp_ns=1, temperature_c=61)


def test_a_vendor_with_endless_reasons_does_not_break_the_columns():
    many = GpuSample(index=0, stamp_ns=1, throttle_reasons=[f"reason {at} {'x' * 200}" for at in range(200)])
    (came,) = samples_of(columns_of([many]))
    assert len(came.throttle_reasons) == 62
    assert max(map(len, came.throttle_reasons)) == 80


def test_columns_that_do_not_fit_each_other_are_refused():
    columns = columns_of(steady(0, 1, power_w=1.0))
    with pytest.raises(ValueError, match="they have"):
        samples_of(dataclasses.replace(columns, buffers=columns.buffers[1:]))
    with pytest.raises(ValueError, match="rows"):
        samples_of(dataclasses.replace(columns, buffers=[array("q", [1]), *columns.buffers[1:]]))
    with pytest.raises(MessageError, match="gpu_samples"):
        Message.from_payload({"message_type": "gpu_samples", "reasons": 3})


@pytest.fixture
def log():
    made, handlers = GpuLog(), {}
    made.listen(handlers.__setitem__)
    made.hear = lambda message: handlers[message.message_type](sent(message))
    return made


def test_the_log_keeps_gpus_notes_and_readings(log):
    assert (log.gpus, log.collector, log.notes) == ((), None, ())
    gpus = [gpu(0, power_limit_w=700.0), gpu(1, mig_slice="1g.10gb")]
    log.hear(GpuInventoryMessage(collector="nvml", gpus=[dataclasses.asdict(one) for one in gpus]))
    log.hear(GpuNoteMessage(text="something"))
    assert (list(log.gpus), log.collector, log.notes) == (gpus, "nvml", ("something",))


def test_a_window_has_its_readings_and_the_nearest_ones_around_it(log):
    for begin in range(0, 30, 2):
        log.hear(GpuSamplesMessage.of(steady(begin, begin + 1.5, every_s=0.5, power_w=float(begin))))
        log.hear(GpuSamplesMessage.of(steady(begin, begin + 1.5, every_s=0.5, index=1)))
    told = log.between(START + 10 * S + 1, START + 12 * S - 1)
    assert [(one.stamp_ns - START) / S for one in told if one.index == 1] == [10.0, 10.5, 11.0, 11.5, 12.0]
    assert [one.power_w for one in told if one.index == 0] == [10.0] * 4 + [12.0]
    log.forget(START + 11 * S)
    assert min(one.stamp_ns for one in log.between(START, START + 30 * S)) == START + 10 * S


def test_bringing_up_to_date_waits_for_its_own_answer(log):
    def answer(message):
        assert isinstance(message, GpuNowMessage)
        log.hear(GpuSamplesMessage.of([], answers=message.number - 1))  # that of another one
        late = GpuSamplesMessage.of(steady(1, 1), answers=message.number)
        threading.Timer(0.05, log.hear, [late]).start()

    assert log.bring_up_to_date(answer, deadline_s=WAIT_S)
    assert len(log.between(START, START + 2 * S)) == 1


def test_a_service_that_says_nothing_is_waited_for_once(log):
    assert not log.bring_up_to_date(lambda _: None, deadline_s=0.05)
    began_s = time.monotonic()
    assert not log.bring_up_to_date(lambda _: None, deadline_s=WAIT_S)
    assert time.monotonic() - began_s < WAIT_S / 2
    assert log.bring_up_to_date(lambda m: log.hear(GpuSamplesMessage.of([], answers=m.number)), WAIT_S)


class Scripted:
    """A collector of the test's own."""

    interval_s = 0.1

    def __init__(self, *, work=lambda: None, fails=False):
        self.notes, self.work, self.fails = [], work, fails
        self.everything, self.closed = [], threading.Event()

    def inventory(self):
        return [gpu()]

    def sample(self, *, everything=False):
        self.everything.append(everything)
        self.work()
        if self.fails:
            raise RuntimeError("a bug of a third party")
        return steady(0, 0)

    def close(self):
        self.closed.set()


@pytest.fixture
def sampling():
    made = []

    def make(collector, interval_s=0.01):
        made.append(Sampler(collector, interval_s=interval_s))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop(WAIT_S)


def wait_until(condition):
    until_s = time.monotonic() + WAIT_S
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.01)
    return condition()


def test_readings_are_taken_again_and_again_and_each_is_given_once(sampling):
    sampler = sampling(Scripted())
    taken = []
    assert wait_until(lambda: taken.extend(sampler.take()[1]) or len(taken) > 5)
    assert sampler.take()[0] == [gpu()]
    assert sampler.stop(WAIT_S)
    taken += sampler.take()[1]
    assert len(taken) == len(sampler._collector.everything)
    assert sampler._collector.closed.is_set()


def test_what_is_asked_for_is_read_at_once_and_with_everything(sampling):
    collector = Scripted()
    sampler = sampling(collector, interval_s=3600)
    assert wait_until(lambda: collector.everything == [False])
    done = threading.Event()
    sampler.now(done.set)
    assert done.wait(WAIT_S)
    assert collector.everything == [False, True]


def test_a_reading_that_is_dear_is_taken_more_seldom_with_one_note(sampling):
    def burn():
        until_s = time.thread_time() + 0.004
        while time.thread_time() < until_s:
            pass

    sampler = sampling(Scripted(work=burn), interval_s=0.02)
    assert wait_until(sampler.notes)
    (note,) = sampler.notes()
    assert "ms of a processor" in note
    assert "not every 0.02 s" in note
    assert sampler._pause_s() > 0.3  # 4 ms are 0.8 % of half a second


def test_a_call_that_hangs_is_seen_from_outside_and_does_not_hold_up_the_stop(sampling):
    hanging = threading.Event()
    sampler = sampling(Scripted(work=lambda: hanging.wait(WAIT_S)))
    assert wait_until(lambda: sampler.busy_s() > 0.05)
    assert not sampler.stop(0.05)
    hanging.set()
    assert sampler.stop(WAIT_S)
    assert sampler.busy_s() == 0


def test_an_exception_of_a_collector_is_kept_and_its_driver_let_go(sampling):
    collector = Scripted(fails=True)
    sampler = sampling(collector)
    assert collector.closed.wait(WAIT_S)
    assert wait_until(lambda: sampler.failure is not None)
    assert "a bug of a third party" in str(sampler.failure)


def test_the_names_of_the_messages_are_those_of_their_classes():
    assert {one.value for one in GpuMessageType} <= set(Message.classes)
