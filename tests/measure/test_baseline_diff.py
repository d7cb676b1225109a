"""Two states of a baseline compared, and what a check against one can find."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_aiperf.baseline import history
from pytest_aiperf.baseline.schema import (
    BaselineKey,
    Distribution,
    Environment,
    Histogram,
    Recorded,
    Run,
    Session,
    SingleValue,
    Stalls,
    Variance,
)
from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.measure.baseline_diff import diff_files, diff_newest
from pytest_aiperf.measure.stored_figures import ITL, TAIL, THROUGHPUT, TTFT, figures_of, outlooks

KEY = BaselineKey(
    test="tests/test_x.py::test_x", workload="c" * 64, load={"streaming": True, "concurrency": 8}
)
SPREAD = (0.99, 1.0, 1.005, 0.995, 1.01)


def distribution(p50, n_ok=200, *, slow=0):
    """Return a distribution; with `slow` so many values at 3000 ms, and a histogram that has them."""
    within = {"p50": 1e-5, "p95": 1e-5}
    bins = tuple(int(math.log(value) / math.log(1.01)) for value in (p50, 3000.0))
    hist = Histogram(growth=0.01, offset=0, index=bins, count=(n_ok - slow, slow)) if slow else None
    return Distribution(
        unit="ms",
        direction="lower",
        count=n_ok,
        avg=p50,
        p50=p50,
        p95=1.3 * p50,
        var_within=within,
        hist=hist,
    )


def session(
    name,
    *,
    ttft=300.0,
    itl=10.0,
    latency=1500.0,
    n_ok=200,
    n_err=0,
    runs=5,
    stalled=1,
    threshold_ms=2250.0,
    slow=0,
    **soft,
):
    made = [
        Run(
            n_ok=n_ok,
            n_err=n_err,
            window_s=18.0,
            metrics={
                "time_to_first_token": distribution(ttft * factor, n_ok),
                "inter_token_latency": distribution(itl * factor, n_ok),
                "request_latency": distribution(latency * factor, n_ok, slow=slow),
                "request_throughput": SingleValue(unit="requests/s", direction="higher", value=11 / factor),
            },
            stalls=Stalls(threshold_ms=threshold_ms, count=stalled),
        )
        for factor in SPREAD[:runs]
    ]
    return Session(
        id=name,
        runs=tuple(made),
        environment=Environment(**{"client": "pytest-aiperf 0.1.0", "host": "0123456789ab"} | soft),
        recorded=Recorded(at="2026-11-02T10:00:00Z", commit="1a2b3c4d", dirty=False),
    )


def baseline(*sessions, **changes):
    stored = history.first(KEY, sessions[0])
    for one in sessions[1:]:
        stored = history.append(stored, one)
    return stored.model_copy(update=changes)


OLD = baseline(session("a"), session("b"), session("c"))


def verdicts(found):
    return {row.metric: row.verdict for row in found.judgement.comparisons if row.against == "baseline"}


def without(one, tag):
    """The session without a metric."""
    runs = [
        run.model_copy(update={"metrics": {t: m for t, m in run.metrics.items() if t != tag}})
        for run in one.runs
    ]
    return one.model_copy(update={"runs": tuple(runs)})


class TestTwoFiles:
    """The newest session that the old file does not hold, against the old file."""

    def test_an_appended_session_of_the_same_level_passes(self):
        found = diff_files(OLD, history.append(OLD, session("d")))
        assert found.judgement.verdict == "pass"
        assert set(verdicts(found)) == {TTFT.name, ITL.name, TAIL.name, "stall_share", "error_share"}
        assert found.now.id == "d"
        assert [one.id for one in found.before] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("changed", "metric"),
        [({"ttft": 400.0}, TTFT.name), ({"itl": 13.0}, ITL.name), ({"latency": 2000.0}, TAIL.name)],
    )
    def test_what_became_slower_regresses_and_nothing_else(self, changed, metric):
        found = diff_files(OLD, history.new_level(OLD, KEY, session("d", **changed)))
        assert found.judgement.verdict == "regressed"
        assert [name for name, verdict in verdicts(found).items() if verdict == "regressed"] == [metric]

    def test_failures_regress(self):
        found = diff_files(OLD, history.append(OLD, session("d", n_ok=192, n_err=8)))
        assert verdicts(found)["error_share"] == "regressed"

    def test_stalls_regress(self):
        found = diff_files(OLD, history.append(OLD, session("d", stalled=40)))
        assert verdicts(found)["stall_share"] == "regressed"

    def test_what_became_faster_passes_and_is_called_better(self):
        found = diff_files(OLD, history.new_level(OLD, KEY, session("d", ttft=200.0)))
        assert found.judgement.verdict == "pass"
        assert found.judgement.improved

    def test_only_the_newest_of_several_is_judged_and_that_is_noted(self):
        new = baseline(session("x", ttft=900.0), session("y"))
        found = diff_files(OLD, new)
        assert found.now.id == "y"
        assert found.judgement.verdict == "pass"
        assert "2 sessions are new; judged is the newest" in found.notes
        assert "3 sessions are gone" in found.notes

    def test_history_of_the_old_file_is_not_compared(self):
        old = history.new_level(baseline(session("slow", ttft=900.0)), KEY, session("level"))
        found = diff_files(old, history.append(old, session("d")))
        assert [one.id for one in found.before] == ["level"]
        assert verdicts(found)[TTFT.name] != "regressed"

    def test_a_new_anchor_is_noted(self):
        found = diff_files(OLD, history.new_level(OLD, KEY, session("d")))
        assert "a new level: the anchor is the session of 2026-11-02 (d), was a" in found.notes

    def test_a_session_that_was_edited_by_hand_is_noted_and_judged(self):
        new = baseline(session("a"), session("b"), session("c", ttft=900.0))
        found = diff_files(OLD, new)
        assert found.now.id == "c"
        assert found.judgement.verdict == "regressed"
        assert "edited: c has its id from before, and other content" in found.notes

    def test_the_same_file_twice_leaves_nothing_to_judge(self):
        found = diff_files(OLD, OLD)
        assert (found.judgement.verdict, found.now, found.judgement.comparisons) == ("measured", None, ())

    @pytest.mark.parametrize(
        ("change", "phrase"),
        [
            ({"model": "other"}, "model was None, is 'other'"),
            ({"load": {"streaming": True, "concurrency": 9}}, "concurrency was 8, is 9"),
            ({"workload": "d" * 64}, "the requests themselves differ"),
        ],
    )
    def test_another_key_is_not_comparable(self, change, phrase):
        new = baseline(session("d"), key=KEY.model_copy(update=change))
        found = diff_files(OLD, new)
        assert found.judgement.verdict == "not_comparable"
        assert found.incomparable[0].startswith(phrase)
        assert found.judgement.comparisons == ()

    @pytest.mark.parametrize("which", [0, 1])
    def test_another_version_of_the_statistics_is_not_comparable_on_either_side(self, which):
        sides = [OLD, baseline(session("d"))]
        sides[which] = sides[which].model_copy(update={"stats_version": 99})
        assert diff_files(*sides).judgement.verdict == "not_comparable"

    def test_changed_soft_facts_are_told_and_forbid_nothing(self):
        old = baseline(session("a", server="vllm 1"))
        found = diff_files(old, history.append(old, session("b", server="vllm 2")))
        assert [(one.name, one.before, one.now) for one in found.changes] == [("server", "vllm 1", "vllm 2")]
        assert found.judgement.comparisons

    def test_another_host_is_expected_to_differ_more(self):
        same, other = (
            next(
                row
                for row in diff_files(OLD, history.append(OLD, session("d", host=host))).judgement.comparisons
                if row.metric == TTFT.name
            )
            for host in ("0123456789ab", "ffffffffffff")
        )
        assert other.mde > 1.3 * same.mde

    def test_stalls_counted_from_another_threshold_are_counted_again(self):
        new = session("d", stalled=0, threshold_ms=9000.0, slow=40)
        found = diff_files(OLD, history.new_level(OLD, KEY, new))
        assert verdicts(found)["stall_share"] == "regressed"
        [row] = [row for row in found.judgement.comparisons if row.metric == "stall_share"]
        assert row.now == 0.2

    def test_without_a_histogram_they_are_not_compared_and_that_is_noted(self):
        found = diff_files(OLD, history.new_level(OLD, KEY, session("d", stalled=90, threshold_ms=1800.0)))
        assert "stall_share" not in verdicts(found)
        assert found.notes[-1].startswith("stalls are not compared")

    def test_a_p95_of_too_few_requests_is_not_judged(self):
        old = baseline(session("a", n_ok=150), session("b", n_ok=150))
        found = diff_files(old, history.append(old, session("c", n_ok=150)))
        assert TAIL.name not in verdicts(found)
        assert TTFT.name in verdicts(found)

    @pytest.mark.parametrize("side", ["old", "new"])
    def test_a_metric_that_only_one_side_holds_is_inconclusive_and_not_passed_over(self, side):
        lacking = without(session("d"), TTFT.tag)
        old, new = (OLD, baseline(lacking)) if side == "new" else (baseline(lacking), OLD)
        found = diff_files(old, new)
        assert verdicts(found)[TTFT.name] == "inconclusive"
        assert found.judgement.verdict == "inconclusive"

    def test_two_files_without_any_latency_prove_nothing(self):
        bare = without(without(without(session("d"), TTFT.tag), ITL.tag), TAIL.tag)
        found = diff_files(baseline(bare), baseline(bare.model_copy(update={"id": "e"})))
        assert found.judgement.verdict == "inconclusive"
        assert found.judgement.reason == "neither side holds a latency that can be judged"

    def test_calibrated_variances_of_the_old_file_are_used_and_a_change_is_noted(self):
        calibrated = OLD.model_copy(update={"variance": {TTFT.name: Variance(run_sd=0.01, tau=0.2, df=20)}})
        row = diff_files(calibrated, history.append(OLD, session("d"))).judgement.comparisons[0]
        assert row.metric == TTFT.name
        assert row.mde > 0.4
        notes = diff_files(OLD, history.append(calibrated, session("d"))).notes
        assert "the calibrated variances are others; the earlier ones are used" in notes


class TestOneFile:
    """The newest session against those before it."""

    def test_it_is_compared_with_those_from_the_anchor_on(self):
        stored = history.new_level(baseline(session("old", ttft=900.0)), KEY, session("anchor"))
        stored = history.append(history.append(stored, session("b")), session("c", ttft=400.0))
        found = diff_newest(stored, source="f.json")
        assert [one.id for one in found.before] == ["anchor", "b"]
        assert found.now.id == "c"
        assert verdicts(found)[TTFT.name] == "regressed"

    def test_a_new_level_is_compared_with_what_was_before_it(self):
        found = diff_newest(history.new_level(OLD, KEY, session("d", ttft=400.0)), source="f.json")
        assert [one.id for one in found.before] == ["a", "b", "c"]
        assert found.judgement.verdict == "regressed"
        assert "the newest session is a new level: it is compared with all that were before it" in found.notes

    def test_a_single_session_cannot_be_compared(self):
        with pytest.raises(BaselineError, match=r"f\.json: holds one session, and nothing before it"):
            diff_newest(baseline(session("a")), source="f.json")


class TestWhatACheckCanFind:
    """The outlook of a check of three runs."""

    def test_with_one_session_an_unchanged_server_is_inconclusive_and_with_three_it_passes(self):
        assert {one.unchanged for one in outlooks(baseline(session("a"))) if one.metric != TAIL.name} == {
            "inconclusive"
        }
        assert {one.unchanged for one in outlooks(OLD)} == {"pass"}

    def test_it_is_the_gates_own_figure(self):
        """One metric, one session: written out by hand."""
        stored = baseline(without(without(session("a"), ITL.tag), TAIL.tag))
        [found] = outlooks(stored)
        logs = np.log(SPREAD)
        squares = ((logs - logs.mean()) ** 2).sum()
        run_variance = (4 * (1e-5 + 0.015**2) + squares) / (4 + 4)
        runs, sessions = run_variance * (1 / 5 + 1 / 3), 2 * 0.015**2
        se = math.sqrt(runs + sessions)
        # The three runs of the check bring two degrees of freedom of their own.
        df = se**4 / (runs**2 / (4 + 4 + 2) + sessions**2 / 8)
        by_noise = (stats.t.ppf(1 - 0.003, df) + stats.t.ppf(0.95, df)) * se
        by_tolerance = math.log(1.05) + stats.t.ppf(0.95, df) * se
        assert found.mde == pytest.approx(math.expm1(max(by_noise, by_tolerance)), rel=1e-6)
        assert found.tolerance == 0.05

    def test_sessions_that_differ_and_hosts_that_differ_find_less(self):
        usual = outlooks(OLD)[0].mde
        moved = baseline(session("a"), session("b", ttft=330.0), session("c", ttft=280.0))
        elsewhere = baseline(session("a", host="x"), session("b", host="y"), session("c", host="z"))
        assert outlooks(moved)[0].mde > 1.5 * usual
        assert outlooks(elsewhere)[0].mde > 1.5 * usual

    def test_calibrated_variances_are_heeded(self):
        quiet = {TTFT.name: Variance(run_sd=0.005, tau=0.002, df=30)}
        assert outlooks(OLD.model_copy(update={"variance": quiet}))[0].mde < 0.7 * outlooks(OLD)[0].mde

    def test_without_a_latency_there_is_no_outlook(self):
        bare = without(without(without(session("d"), TTFT.tag), ITL.tag), TAIL.tag)
        assert outlooks(baseline(bare)) == []

    def test_not_streamed_it_is_the_median_of_the_latency(self):
        key = KEY.model_copy(update={"load": {"streaming": False}})
        assert [one.label for one in outlooks(baseline(session("a"), key=key))] == ["latency p50"]


class TestFigures:
    """Values and intervals of sessions."""

    def test_the_value_is_the_geometric_mean_within_its_interval(self):
        found = {one.metric: one for one in figures_of([session("a")], [TTFT, THROUGHPUT], {})}
        ttft = found[TTFT.name]
        assert ttft.value == pytest.approx(300 * stats.gmean(SPREAD))
        assert ttft.ci95[0] < ttft.value < ttft.ci95[1]
        assert (found[THROUGHPUT.name].unit, ttft.unit) == ("requests/s", "ms")

    def test_a_figure_that_is_too_weak_to_be_judged_is_shown_and_one_that_is_missing_is_not(self):
        one = without(session("a", n_ok=10), ITL.tag)
        assert [figure.metric for figure in figures_of([one], [TTFT, ITL], {})] == [TTFT.name]
