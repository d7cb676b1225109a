"""Right answers are judged like any other figure, so that fast and wrong is red."""

from __future__ import annotations

import json

import pytest
from scripted_load import Server

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.measure.judged import ACCURACY_TOLERANCE

RIGHT = Server()
FASTER = RIGHT.slower(0.7)


def answering(share, *, sampled=False):
    """A server that is faster and gives so many right answers."""
    return Server(ttft_ms=35.0, itl_ms=3.5, right=share, sampled=sampled)


@pytest.fixture
def quiz(bench, tmp_path):
    """A bench whose data says what is expected."""
    path = tmp_path / "quiz.jsonl"
    rows = [{"text": f"Question {i}: A or B?", "expected": "AB"[i % 2]} for i in range(30)]
    path.write_text("\n".join(map(json.dumps, rows)))

    class Quiz:
        def measure(self, *args, **options):
            return bench.measure(*args, **({"input_file": str(path), "accuracy_grader": "choice"} | options))

        def record(self, *args, **options):
            return self.measure(*args, update=("all",), **options)

    return Quiz()


def row_of(measurement, name="accuracy"):
    return next(row for row in measurement.judgement.comparisons if row.metric == name)


def test_faster_and_wrong_is_red(quiz):
    quiz.record(RIGHT)
    measurement = quiz.measure(answering(0.5))
    assert measurement.verdict == "regressed"
    assert row_of(measurement).change == pytest.approx(-0.5, abs=0.02)
    assert row_of(measurement, "time_to_first_token.p50").improved
    assert measurement.judgement.reason.startswith("accuracy: ")
    assert [len(session) for session in measurement.sessions] == [3, 3]


def test_faster_and_as_right_as_before_is_no_regression(quiz):
    quiz.record(RIGHT)
    measurement = quiz.measure(FASTER)
    assert measurement.verdict == "pass"
    assert row_of(measurement).verdict == "pass"
    assert (row_of(measurement).baseline, row_of(measurement).now) == (1.0, 1.0)


def test_not_one_right_answer_is_red_and_not_something_that_nothing_can_be_said_about(quiz):
    """No ratio can be formed with 0: it is compared as half a right answer."""
    quiz.record(RIGHT)
    measurement = quiz.measure(answering(0.0))
    assert measurement.verdict == "regressed"
    assert row_of(measurement).now < 1 / 60


def test_a_run_without_a_right_answer_is_not_left_out(quiz):
    """Two of three runs are wrong throughout: the third does not speak for them."""
    quiz.record(RIGHT)
    measurement = quiz.measure(lambda index: RIGHT if index in (3, 6) else answering(0.0))
    assert row_of(measurement).verdict != "pass"
    assert row_of(measurement).change < -0.8


def test_no_right_answer_before_and_none_now_is_no_change(quiz):
    quiz.record(answering(0.0))
    assert row_of(quiz.measure(answering(0.0))).verdict == "pass"


@pytest.mark.parametrize("share", [0.97, 1.0])
def test_a_loss_within_the_tolerance_is_not_red(quiz, share):
    quiz.record(RIGHT)
    assert row_of(quiz.measure(answering(share))).verdict == "pass"


def test_answers_that_are_drawn_anew_in_every_run_are_judged_by_how_much_they_differ(quiz):
    quiz.record(answering(0.7, sampled=True))
    assert row_of(quiz.measure(answering(0.7, sampled=True))).verdict in ("pass", "inconclusive")
    assert row_of(quiz.measure(answering(0.2, sampled=True))).verdict == "regressed"


def test_two_servers_are_compared_by_their_answers_too(quiz):
    measurement = quiz.measure(answering(0.5), against=RIGHT)
    assert measurement.verdict == "regressed"
    assert row_of(measurement).verdict == "regressed"


def test_a_load_without_expected_answers_has_no_accuracy(bench):
    bench.record()
    measurement = bench.measure()
    assert "accuracy" not in {row.metric for row in measurement.judgement.comparisons}
    assert all("accuracy" not in run.metrics for session in measurement.sessions for run in session)
    with pytest.raises(ConfigurationError, match="accuracy cannot be judged: it needs data with expected"):
        bench.measure(metrics=["accuracy"])


def test_a_tolerance_for_the_accuracy_may_stand_where_other_tests_see_it(bench):
    assert bench.record(tolerance={"accuracy": "1%"}).verdict == "measured"


def test_who_names_what_is_judged_decides_about_the_accuracy_too(quiz):
    quiz.record(RIGHT)
    named = quiz.measure(answering(0.5), metrics=["ttft"])
    assert [row.metric for row in named.judgement.comparisons if row.unit != "share"] == [
        "time_to_first_token.p50"
    ]
    assert row_of(quiz.measure(answering(0.5), metrics=["accuracy"])).verdict == "regressed"


def test_the_usual_tolerance_and_a_tighter_one(quiz):
    quiz.record(RIGHT)
    assert row_of(quiz.measure(answering(0.97))).tolerance == ACCURACY_TOLERANCE.relative
    tight = quiz.measure(answering(0.97), tolerance={"accuracy": "1%"})
    assert row_of(tight).verdict == "regressed"


def test_the_accuracy_is_a_metric_of_the_result(quiz):
    from pytest_aiperf.measure.result import Result

    result = Result(quiz.record(answering(0.9)))
    assert result.accuracy.avg == pytest.approx(0.9, abs=0.02)
    assert result.accuracy.unit == "ratio"


def test_the_figures_of_a_baseline_hold_its_accuracy(quiz, bench):
    from pytest_aiperf.baseline import store
    from pytest_aiperf.measure.stored_figures import figures_of, outlooks, usual_metrics

    quiz.record(RIGHT)
    baseline = store.load(bench.path)
    figures = figures_of(baseline.sessions, usual_metrics(baseline.key), {})
    assert {figure.metric: figure.value for figure in figures}["accuracy"] == 1.0
    assert {row.metric: row.unchanged for row in outlooks(baseline)}["accuracy"] == "pass"
