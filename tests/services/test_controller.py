"""Services in processes of their own, and the controller between them (systems.md C7 to C9, E4 to E7)."""

from __future__ import annotations

import os
import queue
import signal
import time

import pytest
from gossip_service import Heard, Order, Said
from process_table import runs, wait_until

from pytest_aiperf.common.errors import ProcessDiedError
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.plugin.testing import mock_plugin
from pytest_aiperf.services.controller import SystemController
from pytest_aiperf.services.lifecycle import InvalidStateError
from pytest_aiperf.services.process import ServiceProcess

WAIT_S = 20.0


@pytest.fixture
def registered():
    """Both services by name; the listener may be done without."""
    with (
        mock_plugin(PluginType.SERVICE, "teller", "gossip_service:Teller", metadata={"required": True}),
        mock_plugin(PluginType.SERVICE, "listener", "gossip_service:Listener", metadata={"required": False}),
    ):
        yield


@pytest.fixture
def controller(registered, tmp_path):
    with SystemController(log_dir=tmp_path / "logs") as made:
        yield made


@pytest.fixture
def heard(controller):
    messages = queue.Queue()
    controller.subscribe("said", messages.put)
    controller.subscribe("heard", messages.put)
    return messages


def take(messages, count):
    return [messages.get(timeout=WAIT_S) for _ in range(count)]


def pids(controller):
    return {name: service.process.pid for name, service in controller._services.items()}


def test_what_one_says_comes_to_all_who_subscribe(controller, heard):
    """E4: subscribed before start returns, inherited handlers too. E5: one that fails hurts no other. E7: nothing said
    early is lost. Columns are raw buffers."""
    controller.start("teller")
    controller.start("listener")
    told = controller.wait_ready()
    assert told["teller"]["pid"] == pids(controller)["teller"]
    assert told["listener"]["subscribes"] == ["said"]
    controller.publish(Order(what="tell"))
    messages = take(heard, 8)
    assert [m.words for m in messages if isinstance(m, Said)] == [
        "early 0",
        "early 1",
        "early 2",
        "something",
    ]
    answers = [m for m in messages if isinstance(m, Heard)]
    assert sorted(m.words for m in answers) == ["early 0", "early 1", "early 2", "something"]
    assert [m.sizes for m in answers if m.words == "something"] == [[16]]


def test_a_failing_handler_ends_nothing_and_is_in_the_log(controller, heard, tmp_path):
    """C6."""
    controller.start("teller")
    controller.wait_ready()
    take(heard, 3)
    controller.publish(Order(what="raise_in_handler"))
    controller.publish(Order(what="tell"))
    assert take(heard, 1)[0].words == "something"
    controller.check()
    controller.stop()
    log = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "a handler's own trouble" in log
    assert "the teller was stopped in good order" in log


def test_a_handler_of_the_controller_that_fails_hurts_no_other(controller, caplog):
    """E5."""
    messages = queue.Queue()

    def fail(message):
        raise RuntimeError("no ear for it")

    controller.subscribe("said", fail)
    controller.subscribe("said", messages.put)
    controller.start("teller")
    controller.wait_ready()
    assert len(take(messages, 3)) == 3
    assert "no ear for it" in caplog.text


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("die", "the service teller is gone: ended with exit status 7"),
        ("crash", "the service teller is gone: RuntimeError: out of luck"),
    ],
)
def test_a_required_service_that_dies_fails_the_measurement(controller, heard, order, words):
    """C8: with its name and its exit status."""
    controller.start("teller")
    controller.wait_ready()
    controller.publish(Order(what=order))
    service = controller._services["teller"]
    assert wait_until(lambda: service.death is not None)
    with pytest.raises(ProcessDiedError, match=words):
        controller.check()


def test_another_one_is_warned_of_once_and_done_without(controller, heard, caplog):
    """C8."""
    controller.start("teller")
    controller.start("listener")
    controller.wait_ready()
    take(heard, 6)
    os.kill(pids(controller)["listener"], signal.SIGKILL)
    assert wait_until(lambda: controller._services["listener"].death is not None)
    for _ in range(3):
        controller.check()
    assert caplog.text.count("the service listener is gone, and is done without: was killed by SIGKILL") == 1
    controller.publish(Order(what="tell"))
    assert take(heard, 1)[0].words == "something"


def test_one_that_cannot_start_is_told_when_all_are_waited_for(registered, tmp_path):
    """C3, C8."""
    with (
        mock_plugin(PluginType.SERVICE, "teller", "gossip_service:Missing", metadata={"required": True}),
        SystemController(log_dir=tmp_path) as controller,
    ):
        controller.start("teller")
        with pytest.raises(ProcessDiedError, match=r"the service teller is gone: .*Missing"):
            controller.wait_ready()


def test_before_they_are_ready_and_after_the_stop_nothing_can_be_published(controller):
    """E6."""
    with pytest.raises(InvalidStateError, match="no service runs that could be sent 'order'"):
        controller.publish(Order(what="tell"))
    controller.start("teller")
    controller.wait_ready()
    with pytest.raises(InvalidStateError, match="subscribe to 'said' before the services are ready"):
        controller.subscribe("said", print)
    controller.stop()
    with pytest.raises(InvalidStateError, match="no service runs"):
        controller.publish(Order(what="tell"))
    controller.stop()


def test_the_stop_is_bounded_and_leaves_no_process(controller):
    """C7: who does not end in time is killed."""
    controller.start("teller")
    controller.start("listener")
    controller.wait_ready()
    before = pids(controller)
    os.kill(before["listener"], signal.SIGSTOP)
    began_s = time.monotonic()
    controller.stop(grace_s=0.3)
    assert time.monotonic() - began_s < WAIT_S
    assert not [pid for pid in before.values() if runs(pid)]


def test_a_message_that_nobody_understands_ends_the_service_with_its_reason(registered, tmp_path):
    """E2."""
    with (
        ServiceProcess("listener", log_dir=tmp_path) as process,
        pytest.raises(ProcessDiedError, match="Listener does not understand 'order'"),
    ):
        process.request("order", {"what": "tell"}, deadline_s=WAIT_S)
