"""A calibration as text and as a document."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from pytest_aiperf.baseline.schema import BaselineKey, Distribution, Run
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.exporters.calibration_document import calibration_document, check_json_path, write_json
from pytest_aiperf.exporters.calibration_tables import calibration_lines, session_line
from pytest_aiperf.judge.advice import Option
from pytest_aiperf.judge.calibration import Calibration
from pytest_aiperf.judge.samples import Decision
from pytest_aiperf.measure.calibrated import CalibratedLoad, CalibratedMetric
from pytest_aiperf.measure.calibrating import LoadSessions, SessionReport
from pytest_aiperf.measure.calibration_task import CalibrationTask
from pytest_aiperf.measure.judged import JudgedMetric
from pytest_aiperf.measure.request import MeasureRequest
from pytest_aiperf.measure.terms import Terms

TEST = "tests/perf/test_chat.py::test_chat[8]"
TTFT = JudgedMetric(tag="time_to_first_token", statistic="p50", tolerance=Tolerance(relative=0.05))
ITL = JudgedMetric(tag="inter_token_latency", statistic="p50", tolerance=Tolerance(relative=0.05))
FOUND = CalibratedMetric(
    metric=TTFT,
    calibration=Calibration(
        run_sd=0.0123,
        run_df=28.0,
        tau=0.0281,
        tau_df=9.0,
        n_sessions=6,
        n_runs=5.0,
        n_requests=200.0,
        value=300.0,
        var_within=1e-4,
    ),
    mde={1: 0.214, 3: 0.161, 5: 0.152},
    replayed=[
        Decision(verdict="pass", reason="", mde=math.inf),
        Decision(verdict="regressed", reason="worse"),
        Decision(verdict="pass", reason=""),
    ],
    advised_tolerance=0.025,
    advice=[
        Option(n_requests=200, runs=5, sessions=3, paired=False, mde=0.049, cost=1200),
        Option(n_requests=100, runs=3, sessions=1, paired=False, mde=0.05, cost=400),
        Option(
            n_requests=100,
            runs=8,
            sessions=0,
            paired=True,
            mde=0.04,
            cost=1800,
            note="sessions differ by 2.8 % (sd), and no number of runs or requests moves that: measure paired",
        ),
    ],
)
LOST = CalibratedMetric(
    metric=ITL, calibration=None, problem="calibrating needs at least 2 sessions, got 0 of 6"
)
RUN = Run(
    n_ok=200,
    n_err=0,
    window_s=10.0,
    metrics={"time_to_first_token": Distribution(unit="ms", direction="lower", count=200, p50=300.0)},
)


def task(*, test=TEST, path=None):
    request = MeasureRequest(config=None, test=test, name=None, baseline_path=path)
    return CalibrationTask(request=request)


def load_of(*metrics, restarted=True, repeated=0, wanted=0.05, test=TEST, path=None):
    made = LoadSessions(
        task=task(test=test, path=path),
        key=BaselineKey(
            test=test,
            workload="c2",
            load={"mode": "concurrency", "concurrency": 8, "request_count": 200},
            model="m",
        ),
        metrics=[one.metric for one in metrics],
        terms=Terms(),
        sessions=[[RUN] * 5] * 6,
        restarted=restarted,
        repeated=repeated,
    )
    return CalibratedLoad(made=made, wanted=wanted, metrics=metrics)


def text_of(*metrics, **how):
    return "\n".join(calibration_lines(load_of(*metrics, **how)))


def header_of(text):
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if "detectable, 8 runs" in line)
    return lines[first : first + 3]


def test_the_table_holds_noise_resolution_and_the_verdicts_among_the_sessions():
    text = text_of(FOUND)
    assert TEST in text
    assert "8 concurrent, 200 requests; 6 sessions of 5 runs, the server restarted before\n    each" in text
    [row] = [line for line in text.splitlines() if line.startswith("  ttft p50")]
    assert row.split() == [
        "ttft",
        "p50",
        "1.2",
        "%",
        "2.8",
        "%",
        "9",
        "21",
        "%",
        "16",
        "%",
        "15",
        "%",
        "1",
        "0",
        "2",
    ]
    header = header_of(text)
    assert "against sessions:" in header[1]
    assert header[2].split() == ["1", "3", "5", "red", "?", "ok"]


def test_each_size_stands_above_its_figure():
    lines = text_of(FOUND).splitlines()
    sizes, row = header_of(text_of(FOUND))[2], next(line for line in lines if line.startswith("  ttft p50"))
    ends = [row.index(figure) + len(figure) for figure in ("21 %", "16 %", "15 %")]
    assert [sizes[end - 1] for end in ends] == ["1", "3", "5"]


def test_advice_names_runs_requests_sessions_and_what_they_find():
    text = text_of(FOUND)
    assert "To find ttft p50 worse by 5 %:" in text
    assert "a tolerance of 2.5 % instead of 5 %, and" in text
    assert "5 runs of 200 requests against 3 stored sessions: finds 4.9 %, 1200 requests" in text
    assert "3 runs of 100 requests against 1 stored session: finds 5 %" in text
    assert "both servers in turn (--aiperf-against), 8 runs of 100 requests each" in text
    assert "measure paired" in text


def test_it_fits_80_columns_whatever_it_is_called():
    long = CalibratedMetric(
        metric=JudgedMetric(
            tag="output_token_throughput_per_user", statistic="p50", tolerance=Tolerance(relative=0.05)
        ),
        calibration=FOUND.calibration,
        mde={1: 12.0, 3: 10.0, 5: 9.99},
        replayed=FOUND.replayed * 30,
        advised_tolerance=0.05,
        advice=FOUND.advice,
    )
    assert max(map(len, text_of(FOUND, long, LOST, restarted=False, repeated=2).splitlines())) <= 80


def test_a_number_and_its_percent_sign_stay_on_one_line():
    assert not any(line.lstrip().startswith("%") for line in text_of(FOUND, wanted=0.123).splitlines())


def test_what_could_not_be_calibrated_says_why():
    text = text_of(LOST)
    assert "itl p50: calibrating needs at least 2 sessions, got 0 of 6" in text
    assert "detectable" not in text


def test_sessions_of_one_boot_and_sessions_made_again_are_told():
    text = text_of(FOUND, restarted=False, repeated=1, test="")
    assert text.startswith("load\n")
    assert "of one boot of the server" in text
    assert "Without --restart-command" in text
    assert "1 of them made again" in text
    assert "Without --restart-command" not in text_of(FOUND)


def report(problem=None):
    return SessionReport(
        task=task(),
        session=2,
        sessions=6,
        metrics=[TTFT, ITL],
        runs=[RUN] * 5,
        duration_s=12.4,
        problem=problem,
    )


def test_a_session_is_one_line_with_its_levels():
    assert (
        session_line(report()) == "session 2/6 of test_chat.py::test_chat[8]: 5 runs, ttft p50 300 ms (12 s)"
    )


def test_an_invalid_session_is_one_line_with_the_reason():
    line = session_line(report("error_share is 0.5, allowed is 0.01\nThe server fails."))
    assert line == (
        "session 2/6 of test_chat.py::test_chat[8] is not valid: error_share is 0.5, allowed is 0.01 "
        "The server fails."
    )


def test_the_document_holds_everything_and_parses_strictly(tmp_path):
    path = tmp_path / "sub" / "out.json"
    write_json(path, calibration_document([load_of(FOUND, LOST, path=Path("b.json"))]))
    document = json.loads(path.read_text(), parse_constant=pytest.fail)
    [load] = document["loads"]
    assert document["schema"] == 1
    assert load["baseline"] == "b.json"
    assert load["key"]["test"] == TEST
    assert [len(session["runs"]) for session in load["sessions"]] == [5] * 6
    ttft, itl = load["metrics"]["time_to_first_token.p50"], load["metrics"]["inter_token_latency.p50"]
    assert ttft["calibration"]["tau"] == 0.0281
    assert ttft["mde"] == {"1": 0.214, "3": 0.161, "5": 0.152}
    assert ttft["judged"] == {"regressed": 1, "inconclusive": 0, "pass": 2}
    assert ttft["decisions"][0]["mde"] is None
    assert ttft["advice"][2]["paired"] is True
    assert itl["calibration"] is None
    assert "at least 2 sessions" in itl["problem"]


def test_a_document_that_could_not_be_written_is_told_beforehand(tmp_path, monkeypatch):
    check_json_path(tmp_path / "new" / "out.json")
    with pytest.raises(ConfigurationError, match="--json: cannot write"):
        check_json_path(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--json: cannot write"):
        check_json_path(tmp_path / "file" / "out.json")
    # Stands in for permissions, which do not bind root.
    monkeypatch.setattr("os.access", lambda folder, mode: False)
    with pytest.raises(ConfigurationError, match="writable folder"):
        check_json_path(tmp_path / "out.json")
