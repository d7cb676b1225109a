"""The baseline file: what it looks like, what is said about a broken one, and how it is replaced."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import KEY, baseline, run, session

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import BaselineError

GOLDEN = Path(__file__).parent / "data" / "golden_baseline.json"


def document():
    return json.loads(store.dump(baseline()))


def broken(change):
    """The error about a file in which one thing was changed."""
    stored = document()
    change(stored)
    with pytest.raises(BaselineError) as caught:
        store.parse(json.dumps(stored), source="some/file.json")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_format_is_that_of_the_golden_file():
    """A change of it makes every stored baseline in the world show up in a diff. It may not happen unnoticed."""
    assert store.dump(baseline()) == GOLDEN.read_text(encoding="utf-8")


def test_the_golden_file_reads_back_to_the_same_text():
    text = GOLDEN.read_text(encoding="utf-8")
    assert store.dump(store.load(GOLDEN)) == text


def test_numbers_have_six_significant_digits():
    metrics = document()["sessions"][0]["runs"][0]["metrics"]
    assert metrics["time_to_first_token"]["avg"] == 324.724
    assert metrics["time_to_first_token"]["var_within"]["p50"] == 0.000123457
    assert metrics["request_throughput"]["value"] == 10.9877
    assert metrics["time_to_first_token"]["p50"] == 300


def test_integers_are_not_rounded():
    stored = baseline().model_copy(update={"key": KEY.model_copy(update={"load": {"seed": 2**63 - 1}})})
    assert json.loads(store.dump(stored))["key"]["load"]["seed"] == 2**63 - 1


FINITE = st.floats(min_value=1e-300, max_value=1e300)


@settings(deadline=None)
@given(FINITE, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_was_dumped_parses_to_what_dumps_to_the_same_bytes(value, text):
    key = KEY.model_copy(update={"test": text, "load": {text: [1, value, None, {"a": True}], "empty": {}}})
    stored = baseline(session(f"id {text}", value)).model_copy(update={"key": key})
    once = store.dump(stored)
    again = store.parse(once, source="here")
    assert store.dump(again) == once
    assert again.key.test == text
    assert again.sessions[0].runs[0].metrics["time_to_first_token"].p50 == pytest.approx(value, rel=5e-6)


def test_the_file_is_strict_json_that_begins_with_what_matters():
    text = store.dump(baseline())
    stored = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert list(stored) == ["schema", "stats_version", "key", "anchor", "variance", "sessions"]
    assert list(stored["sessions"][0]) == ["id", "runs", "environment", "recorded"]
    assert list(stored["sessions"][0]["runs"][0]["metrics"]["time_to_first_token"])[-1] == "hist"
    assert text.endswith("}\n")


def test_the_order_of_keys_does_not_depend_on_the_order_of_measuring():
    one = run()
    other = one.model_copy(update={"metrics": dict(reversed(one.metrics.items()))})
    shuffled = session("first").model_copy(update={"runs": (other,)})
    straight = session("first").model_copy(update={"runs": (one,)})
    assert store.dump(baseline(shuffled)) == store.dump(baseline(straight))


def test_no_file_is_no_baseline(tmp_path):
    assert store.load(tmp_path / "absent" / "file.json") is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be read: it is empty"),
        (b'{"schema": 1,\n "key": }', "not JSON: Expecting value: line 2 column 9"),
        (b"<<<<<<< HEAD\n{}", "not JSON"),
        (b'{"schema": NaN}', "not JSON: NaN is not a number of JSON"),
        (b'{"schema": 1, "x": -Infinity}', "not JSON: -Infinity is not a number of JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"schema": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"\xff\xfe{}", "cannot be read"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (
            b'{"schema": 1, "key": {"a": 1, "b": 2, "a": 3}}',
            "not JSON: the key 'a' stands twice in one object",
        ),
        (b"[]", "not a baseline file"),
        (b"null", "not a baseline file"),
        (b"{}", "not a baseline file: its 'schema' is None"),
        (b'{"schema": "1"}', "not a baseline file"),
        (b'{"schema": true}', "not a baseline file"),
        (b'{"schema": 0}', "not a baseline file"),
        (b'{"schema": 1}', "at key: Field required"),
    ],
)
def test_a_broken_file_is_named_with_the_place_and_left_alone(tmp_path, data, message):
    path = tmp_path / "broken.json"
    path.write_bytes(data)
    with pytest.raises(BaselineError) as caught:
        store.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert path.read_bytes() == data


def test_a_file_that_was_cut_anywhere_is_an_error_and_never_a_shorter_baseline(tmp_path):
    text = store.dump(baseline())
    path = tmp_path / "cut.json"
    for at in range(1, len(text) - 2, 97):
        path.write_text(text[:at])
        with pytest.raises(BaselineError, match=r"cut\.json: not JSON"):
            store.load(path)


def test_a_file_far_too_large_is_refused_before_it_is_read_whole(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    with pytest.raises(BaselineError, match=r"huge\.json: cannot be read: it is larger than 33554432 bytes"):
        store.load(path)
    assert path.stat().st_size == 300 * 1024 * 1024


def test_a_directory_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / "dir.json").mkdir()
    with pytest.raises(BaselineError, match=r"dir\.json: cannot be read: "):
        store.load(tmp_path / "dir.json")


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "newer.json"
    text = json.dumps(document() | {"schema": 2, "unheard": "of"})
    path.write_text(text)
    with pytest.raises(
        BaselineError, match=r"newer pytest-aiperf \(schema 2, this one reads up to 1\); upgrade"
    ):
        store.load(path)
    assert path.read_text() == text


def test_a_wrong_number_of_a_metric_is_named_by_its_place():
    def change(stored):
        stored["sessions"][1]["runs"][0]["metrics"]["time_to_first_token"]["p50"] = "fast"

    message = broken(change)
    assert message.startswith("some/file.json: at sessions.1.runs.0.metrics.time_to_first_token.")
    assert ".p50: Input should be a valid number" in message
    assert "value" not in message  # it is no metric with one value per run


def test_a_wrong_value_of_a_throughput_is_named_by_its_place():
    def change(stored):
        stored["sessions"][0]["runs"][1]["metrics"]["request_throughput"]["value"] = []

    assert "at sessions.0.runs.1.metrics.request_throughput.per run.value: Input" in broken(change)


def test_an_unknown_key_is_named_with_the_nearest_known_one():
    def change(stored):
        stored["sessions"][0]["runs"][0]["n_okay"] = 3

    assert "at sessions.0.runs.0: Value error, unknown key 'n_okay' (did you mean 'n_ok'?)" in broken(change)


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_overflows_is_refused(number):
    text = store.dump(baseline()).replace("324.724", number)
    with pytest.raises(BaselineError, match=r"\.avg: Value error, must be finite, got -?inf"):
        store.parse(text, source="f")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d.update(anchor="nobody"), "at anchor: no session has the id 'nobody'"),
        (lambda d: d.update(sessions=[]), "at sessions: "),
        (lambda d: d["sessions"][0].update(runs=[]), "at sessions.0.runs: "),
        (
            lambda d: d["sessions"][1].update(id="first"),
            "at sessions.1.id: an earlier session has the id 'first' already.",
        ),
        (
            lambda d: d["sessions"][0]["runs"][0].update(n_ok=0),
            "at sessions.0.runs.0.n_ok: no request of this run succeeded",
        ),
        (lambda d: d["sessions"][0]["runs"][0].update(n_err=-1), "at sessions.0.runs.0.n_err: "),
        (lambda d: d["sessions"][0]["runs"][0].update(window_s=-1), "at sessions.0.runs.0.window_s: "),
        (lambda d: d["sessions"][0]["runs"][0]["stalls"].update(threshold_ms=0), "stalls.threshold_ms: "),
        (
            lambda d: d["sessions"][0]["runs"][1]["stalls"].update(count=200),
            "at sessions.0.runs.1.stalls.count: 200 stalls among 199 good requests",
        ),
        (lambda d: d["key"].pop("workload"), "at key.workload: Field required"),
        (lambda d: d["key"].update(acelerator="x"), "unknown key 'acelerator' (did you mean 'accelerator'?)"),
        (lambda d: d.update(extra=1), "unknown key 'extra'."),
    ],
)
def test_what_cannot_be_is_named(change, place):
    assert place in broken(change)


TTFT = ("sessions", 0, "runs", 0, "metrics", "time_to_first_token")


@pytest.mark.parametrize("value", ["199", True, 199.5, None, [199]])
@pytest.mark.parametrize(
    "place", [("sessions", 0, "runs", 0, "n_ok"), (*TTFT, "count"), (*TTFT, "hist", "offset")]
)
def test_a_count_is_a_whole_number_and_nothing_that_reads_like_one(place, value):
    assert str(place[-1]) in broken(lambda stored: put(stored, place, value)).partition(": at ")[2]


@pytest.mark.parametrize("value", ["300", True, [], {}])
@pytest.mark.parametrize(
    "place",
    [(*TTFT, "p50"), ("sessions", 0, "runs", 0, "window_s"), ("variance", "time_to_first_token.p50", "tau")],
)
def test_a_number_is_a_number_and_nothing_that_reads_like_one(place, value):
    assert "Input should be a valid number" in broken(lambda stored: put(stored, place, value))


@pytest.mark.parametrize("place", [(*TTFT, "var_within", "p50"), (*TTFT, "std")])
def test_no_variance_is_negative(place):
    assert "greater than or equal to 0" in broken(lambda stored: put(stored, place, -0.001))


def put(stored, place, value):
    for step in place[:-1]:
        stored = stored[step]
    stored[place[-1]] = value


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"count": [1]}, "5 bins but 1 counts"),
        ({"index": [3, 0, 40, 41, 42]}, "not in ascending order"),
        ({"count": [1, -1, 0, 0, 0]}, "count.1: "),
        ({"offset": 10**9}, "beyond what a float can hold"),
    ],
)
def test_a_histogram_that_nobody_could_draw_is_refused(change, complaint):
    def spoil(stored):
        stored["sessions"][0]["runs"][0]["metrics"]["time_to_first_token"]["hist"].update(change)

    assert complaint in broken(spoil)


def test_a_model_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="must be finite"):
        run(math.nan)


def test_saving_makes_the_directories_and_a_readable_file(tmp_path):
    path = tmp_path / "a" / "b" / "file.json"
    store.save(path, "text")
    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["file.json"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_a_save_that_fails_midway_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "file.json"
    store.save(path, "old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, step, fail)
    with pytest.raises(BaselineError, match=r"file\.json: cannot be written: .*No space left"):
        store.save(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_save_that_is_interrupted_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    store.save(path, "old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.save(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.json"]


def test_the_text_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    steps = []
    for step in ("fsync", "replace"):
        real = getattr(os, step)
        monkeypatch.setattr(store.os, step, lambda *a, s=step, real=real: (steps.append(s), real(*a)))
    store.save(tmp_path / "file.json", "x")
    assert steps == ["fsync", "replace"]


def test_a_file_in_place_of_a_directory_is_found_before_anything_is_measured(tmp_path):
    (tmp_path / "taken").write_text("a file")
    path = tmp_path / "taken" / "profile" / "file.json"
    with pytest.raises(BaselineError, match=r"taken is not a writable directory\. Nothing was measured"):
        store.check_writable(path)
    with pytest.raises(BaselineError, match="cannot be written"):
        store.save(path, "x")


def test_a_read_only_file_system_is_found_before_anything_is_measured(tmp_path, monkeypatch):
    """Stands in for a mount that a test may not make: `statvfs` tells what it would tell there."""
    monkeypatch.setattr(store.os, "statvfs", lambda folder: type("S", (), {"f_flag": os.ST_RDONLY})())
    with pytest.raises(BaselineError, match="is not a writable directory"):
        store.check_writable(tmp_path / "file.json")


def test_a_directory_without_permission_is_found_before_anything_is_measured(tmp_path, monkeypatch):
    """Stands in for permissions, which do not bind root: `access` tells what it would tell anybody else."""
    monkeypatch.setattr(store.os, "access", lambda folder, mode: False)
    with pytest.raises(BaselineError, match="Give a writable --aiperf-baseline-dir"):
        store.check_writable(tmp_path / "new" / "file.json")


def test_a_directory_that_does_not_exist_yet_is_writable_and_not_made(tmp_path):
    store.check_writable(tmp_path / "a" / "b" / "file.json")
    assert os.listdir(tmp_path) == []


def test_a_stored_baseline_is_the_one_that_was_saved(tmp_path):
    path = tmp_path / "file.json"
    store.save(path, store.dump(baseline()))
    assert store.load(path) == Baseline.model_validate(document())


def test_a_baseline_behind_a_symbolic_link_is_read(tmp_path):
    (tmp_path / "real").mkdir()
    store.save(tmp_path / "real" / "b.json", store.dump(baseline()))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert store.load(tmp_path / "link" / "b.json") == store.load(tmp_path / "real" / "b.json")


def test_a_fifo_in_place_of_a_baseline_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "b.json")
    with pytest.raises(BaselineError, match="not a regular file"):
        store.load(tmp_path / "b.json")
