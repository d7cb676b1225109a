"""The verdict from files alone: the same as when it was measured, and no verdict where a file says nothing sound."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scripted_load import Server

from pytest_aiperf.baseline import history, store
from pytest_aiperf.baseline.schema import Baseline, Environment, Recorded, Session, Stalls
from pytest_aiperf.common.errors import AiperfError, BaselineError, ConfigurationError
from pytest_aiperf.exporters.document import failed_document, measurement_document, write_document
from pytest_aiperf.exporters.document_model import Measured
from pytest_aiperf.exporters.finding import verdict_document, verdict_text
from pytest_aiperf.measure.filed_terms import Wishes, wishes_of
from pytest_aiperf.measure.filed_verdict import GRAVEST_FIRST, Finding, gravest, judge_files, look_reached
from pytest_aiperf.measure.measurement import Judgement
from pytest_aiperf.measure.result_file import NOT_READ, FiledMeasurement
from pytest_aiperf.measure.run_data import count_stalls
from pytest_aiperf.measure.stall_recount import recounted

SAME, SLOW, FAST = Server(), Server().slower(1.5), Server().slower(0.6)
NODE_ID = "tests/test_chat.py::test_chat"


@pytest.fixture
def filed(tmp_path):
    """Write measurements to a result document."""

    def write(*measurements, name="result.json"):
        path = tmp_path / "results" / name
        entries = [
            m if isinstance(m, dict) else measurement_document(m, node_id=m.test) | {"profile": "default"}
            for m in measurements
        ]
        write_document(path, {}, entries)
        return path

    return write


def judged(result, baseline, **wishes):
    """The only finding."""
    (finding,) = judge_files(result, baseline, wishes_of(**wishes))
    return finding


def edited(path, change):
    """Change a JSON file by hand."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def incident(index):
    return SLOW if index <= 3 else SAME


def restless(index):
    return Server().slower((1.0, 1.1, 0.93, 1.05, 0.97, 1.08, 0.95, 1.02, 1.0)[min(index, 8)])


def again_unlike(index):
    return Server(failed=0.06) if index <= 3 else SLOW


@pytest.mark.parametrize(
    ("server", "options", "verdict"),
    [
        (SAME, {}, "pass"),
        (SLOW, {}, "regressed"),
        (FAST, {}, "pass"),
        (incident, {}, "inconclusive"),
        (restless, {"tolerance": {"ttft.p50": "5%"}}, "inconclusive"),
        (Server(failed=0.2), {}, "regressed"),
        (again_unlike, {}, "inconclusive"),
        (Server(stalled=0.2), {}, "regressed"),
        (Server().slower(1.15), {"tolerance": {"ttft.p50": "10%"}, "strict": True}, "inconclusive"),
        (SAME, {"max_mde": 0.01}, "inconclusive"),
        (SAME, {"alpha": 0.05, "num_profile_runs": 3}, "pass"),
        (Server().slower(1.3), {"metrics": ["ttft"], "tolerance": {"ttft": "10% or 40ms"}}, "pass"),
        (SLOW, {"metrics": ["request_throughput"]}, "regressed"),
        (SLOW, {"streaming": False, "tolerance": {"latency.p50": "30%"}}, "regressed"),
    ],
)
def test_a_verdict_is_repeated_to_the_last_digit(bench, filed, server, options, verdict):
    bench.record(**options)
    measurement = bench.measure(server, **options)
    assert measurement.verdict == verdict
    finding = judged(filed(measurement), bench.path)
    assert list(finding.judgement.comparisons) == list(measurement.judgement.comparisons)
    assert (finding.verdict, finding.judgement.reason) == (verdict, measurement.judgement.reason)


@pytest.mark.parametrize("server", [SAME, SLOW])
def test_it_is_repeated_against_several_sessions_and_their_anchor(bench, filed, server):
    for factor in (1.0, 1.01, 1.02):
        bench.record(Server().slower(factor))
    measurement = bench.measure(server)
    assert {c.against for c in measurement.judgement.comparisons} == {"baseline", "anchor"}
    finding = judged(filed(measurement), bench.path)
    assert list(finding.judgement.comparisons) == list(measurement.judgement.comparisons)
    assert finding.verdict == measurement.verdict


def test_calibrated_variances_of_the_baseline_count(bench, filed):
    bench.record()
    edited(
        bench.path,
        lambda b: b["variance"].update(
            {"time_to_first_token.p50": {"run_sd": 0.002, "tau": 0.002, "df": 30}}
        ),
    )
    measurement = bench.measure(SAME)
    finding = judged(filed(measurement), bench.path)
    assert list(finding.judgement.comparisons) == list(measurement.judgement.comparisons)
    ttft, itl = finding.judgement.comparisons[:2]
    assert ttft.mde < itl.mde


def test_from_another_host_there_is_more_to_allow_for(bench, filed):
    bench.record()
    path = filed(bench.measure(SAME))
    here = judged(path, bench.path).judgement.comparisons[0]
    edited(path, lambda d: session_of(d)["environment"].update(host="elsewhere"))
    assert judged(path, bench.path).judgement.comparisons[0].mde > here.mde


def test_measure_mode_is_judged_from_its_file(bench, filed):
    bench.record()
    measurement = bench.measure(SLOW, mode="measure")
    finding = judged(filed(measurement), bench.path)
    assert list(finding.judgement.comparisons) == list(measurement.judgement.comparisons)
    assert finding.verdict == "regressed"
    assert finding.note == "worse in one session; there is no second one that would confirm it"


def test_what_the_time_budget_left_unconfirmed_stays_so(bench, filed):
    bench.record()
    run_s = bench.time_of_a_run(SLOW)
    spent = bench.time.now_s

    def slow_at_the_end(index):
        # The third run takes the time that a second session would have needed.
        return replace(SLOW, idle_ms=6 * run_s / 40 * 1000) if index == 3 else SLOW

    measurement = bench.measure(slow_at_the_end, max_time=9 * run_s)
    assert bench.time.now_s > spent
    assert measurement.verdict == "inconclusive"
    assert measurement.judgement.comparisons[0].verdict == "regressed"
    finding = judged(filed(measurement), bench.path)
    assert finding.verdict == "inconclusive"
    assert list(finding.judgement.comparisons) == list(measurement.judgement.comparisons)
    assert "time budget" in finding.note


@pytest.mark.parametrize(("server", "verdict"), [(SAME, "pass"), (SLOW, "regressed"), (FAST, "pass")])
def test_two_servers_are_judged_again_from_one_file(bench, filed, server, verdict):
    measurement = bench.measure(server, against=SAME)
    assert measurement.verdict == verdict
    finding = judged(filed(measurement), None)
    assert list(finding.judgement.comparisons) == list(measurement.judgement.comparisons)
    assert (finding.verdict, finding.judgement.reason) == (verdict, measurement.judgement.reason)
    assert finding.against == measurement.against


def test_the_endpoint_of_a_paired_measurement_can_be_judged_against_a_baseline(bench, filed):
    bench.record()
    path = filed(bench.measure(SLOW, against=SLOW))
    assert judged(path, None).verdict == "pass"
    finding = judged(path, bench.path)
    assert finding.verdict == "regressed"
    # Between sessions there is more to allow for than between runs in turn.
    assert finding.judgement.comparisons[0].mde > judged(path, None).judgement.comparisons[0].mde


def test_one_file_alone_is_judged_only_where_two_servers_were_compared(bench, filed):
    path = filed(bench.measure(SAME, baseline=False))
    with pytest.raises(ConfigurationError, match=r"was not compared with a second server.*judge BASELINE"):
        judged(path, None)


@pytest.mark.parametrize(("runs", "look"), [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (8, 2), (20, 2)])
def test_the_look_is_the_last_that_the_first_session_reached(runs, look):
    assert look_reached((3, 5, 8), runs) == look


# What the user wants otherwise.


def test_another_tolerance_gives_another_verdict(bench, filed):
    bench.record()
    path = filed(bench.measure(Server().slower(1.15), mode="measure"))
    assert judged(path, bench.path).verdict == "inconclusive"
    wide = judged(path, bench.path, tolerance=["ttft.p50=60%", "itl=60%"])
    assert wide.verdict == "pass"
    assert [c.tolerance for c in wide.judgement.comparisons[:2]] == [0.6, 0.6]


def test_a_tolerance_for_a_further_metric_adds_it(bench, filed):
    bench.record()
    path = filed(bench.measure(SLOW, mode="measure"))
    rows = judged(path, bench.path, tolerance=["throughput=30%"]).judgement.comparisons
    assert [row.metric for row in rows if row.unit != "share"] == [
        "time_to_first_token.p50",
        "inter_token_latency.p50",
        "request_throughput",
    ]


def test_metrics_replace_what_was_judged_and_keep_its_tolerances(bench, filed):
    bench.record()
    path = filed(bench.measure(SAME))
    rows = judged(path, bench.path, metrics="itl, latency.p50").judgement.comparisons
    assert [(row.metric, row.tolerance) for row in rows if row.unit != "share"] == [
        ("inter_token_latency.p50", 0.2),
        ("request_latency.p50", 0.05),
    ]


def test_strictness_risk_and_largest_mde_can_be_changed(bench, filed):
    bench.record()
    path = filed(bench.measure(Server().slower(1.25), mode="measure"))
    assert judged(path, bench.path).verdict == "regressed"
    assert judged(path, bench.path, strict=True).verdict == "inconclusive"
    assert (
        judged(filed(bench.measure(SAME), name="same.json"), bench.path, max_mde="1%").verdict
        == "inconclusive"
    )
    narrow, wide = (
        judged(path, bench.path, alpha=alpha, tolerance=["ttft=1%"]).judgement.comparisons[0]
        for alpha in ("0.1%", "20%")
    )
    assert narrow.mde > wide.mde


def test_strict_can_be_taken_back(bench, filed):
    bench.record()
    path = filed(bench.measure(Server().slower(1.25), mode="measure", strict=True))
    assert judged(path, bench.path).verdict == "inconclusive"
    assert judged(path, bench.path, strict=False).verdict == "regressed"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"tolerance": ["ttft.p50"]}, r"--tolerance ttft\.p50: write METRIC=TOLERANCE"),
        ({"tolerance": ["tfft=5%"]}, r"--tolerance tfft=5%: unknown metric 'tfft' \(did you mean 'ttft'\?\)"),
        ({"tolerance": ["ttft=lots"]}, r"--tolerance ttft=lots: .* is not a share or an amount"),
        ({"tolerance": ["ttft=nan%"]}, r"--tolerance ttft=nan%"),
        ({"metrics": "ttft.p49"}, "unknown statistic 'p49'"),
        ({"metrics": "isl"}, "isl|input_sequence_length"),
        ({"alpha": "much"}, r"--alpha: 'much' is not a share"),
        ({"alpha": "0"}, r"--alpha 0: .*greater than 0"),
        ({"alpha": "nan"}, r"--alpha nan: must be finite"),
        ({"max_mde": "-1%"}, r"--max-mde -1%: .*greater than 0"),
        ({"metrics": "ttft.p99"}, "needs a request_count of at least 1000, got 60"),
        ({"tolerance": ["goodput=5%"]}, "--tolerance: goodput is judged in no measurement of this file"),
        ({"tolerance": ["ttft=5kg"]}, "the floor is in kg, the metric in ms"),
    ],
)
def test_a_wish_that_cannot_be_is_told(bench, filed, wish, message):
    bench.record()
    path = filed(bench.measure(SAME))
    with pytest.raises(ConfigurationError, match=message):
        judged(path, bench.path, **wish)


# What is compared with what.


def test_two_results_are_compared(bench, filed):
    before = filed(bench.measure(SAME, baseline=False), name="before.json")
    after = filed(bench.measure(SLOW, baseline=False), name="after.json")
    assert judged(after, before).verdict == "regressed"
    assert judged(before, after).verdict == "pass"
    assert judged(before, after).judgement.improved


def test_stalls_are_counted_anew_where_the_two_have_thresholds_of_their_own(bench, filed):
    """By its own threshold a faster server has stalls that would not have been any before."""
    before = filed(bench.measure(SAME, baseline=False), name="before.json")
    faster = replace(SAME.slower(0.4), stalled=0.1)
    after = bench.measure(faster, baseline=False)
    assert after.runs[0].stalls.count > 0
    found = judged(filed(after, name="after.json"), before)
    stalls = next(c for c in found.judgement.comparisons if c.metric == "stall_share")
    assert (stalls.baseline, stalls.now, stalls.verdict) == (0, 0, "pass")


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.0, 1.1, 1.3, 1.7, 2.0])
def test_a_recount_is_right_but_for_requests_within_a_bin_of_the_threshold(bench, factor):
    measurement = bench.measure(Server(noise=0.3), baseline=False, request_count=500)
    values = measurement.pooled["request_latency"].reshape(3, -1)
    for run, latencies in zip(measurement.runs, values, strict=True):
        median = float(np.median(latencies))
        found = recounted(run, factor * median).stalls
        over_ms = max(factor, 1.5) * median
        near = np.count_nonzero(abs(np.log(latencies / over_ms)) < 2 * math.log(1.01))
        assert found.threshold_ms == factor * median
        assert abs(found.count - count_stalls(latencies, factor * median).count) <= near


def test_a_run_is_recounted_only_where_it_must_be(bench):
    run = bench.measure(Server(stalled=0.1), baseline=False).runs[0]
    latency = run.metrics["request_latency"]
    assert recounted(run, None) is run
    assert recounted(run, run.stalls.threshold_ms * (1 + 1e-7)) is run
    without = {**run.metrics, "request_latency": latency.model_copy(update={"hist": None})}
    assert recounted(run.model_copy(update={"metrics": without}), 1.0).stalls is None
    uncounted = run.model_copy(update={"stalls": None})
    assert recounted(uncounted, 1.0).stalls == Stalls(threshold_ms=1.0, count=run.stalls.count)
    assert run.stalls.count > 0


def test_the_newest_session_of_a_baseline_file_is_judged_against_the_earlier_ones(bench):
    for server in (SAME, SAME, SAME):
        bench.record(server)
    stored = store.load(bench.path)
    slow = bench.measure(SLOW, mode="measure", num_profile_runs=5, baseline=False)
    session = Session(
        id="slow",
        runs=slow.runs,
        environment=slow.environment,
        recorded=Recorded(at="2026-11-23T10:00:00Z"),
    )
    store.save(bench.path, store.dump(history.append(stored, session)))
    finding = judged(bench.path, bench.path)
    assert finding.verdict == "regressed"
    assert [s.id for s in finding.baseline.sessions] == [s.id for s in stored.sessions]
    assert [row.metric for row in finding.judgement.comparisons if row.against == "baseline"] == [
        "time_to_first_token.p50",
        "inter_token_latency.p50",
        "stall_share",
        "error_share",
    ]


def test_nothing_is_compared_with_itself(bench, filed):
    measurement = bench.record()
    path = filed(measurement)
    assert judged(path, bench.path).verdict == "no_baseline"
    assert "cannot be compared with itself" in judged(path, path).judgement.reason
    assert judged(bench.path, bench.path).verdict == "no_baseline"
    again = filed(bench.record(), name="again.json")
    finding = judged(again, bench.path)
    assert [s.id for s in finding.baseline.sessions] == [measurement.to_store.anchor]


def other(measurement, **key):
    return replace(measurement, key=measurement.key.model_copy(update=key))


def test_each_measurement_of_a_result_finds_its_baseline_in_a_folder(bench, filed, tmp_path):
    bench.record()
    stored = store.load(bench.path)
    folder = tmp_path / "baselines"
    for test, name in (("t.py::a", None), ("t.py::b", None), ("t.py::a", "long")):
        key = stored.key.model_copy(update={"test": test, "name": name})
        store.save(
            folder / "module" / f"{test[-1]}{name}.json",
            store.dump(stored.model_copy(update={"key": key})),
        )
    same, slow = bench.measure(SAME), bench.measure(SLOW)
    path = filed(
        other(same, test="t.py::b"),
        replace(other(slow, test="t.py::a", name="long"), name="long"),
        other(same, test="t.py::a"),
        other(same, test="t.py::bb"),
    )
    findings = judge_files(path, folder, Wishes())
    assert [one.verdict for one in findings] == ["pass", "regressed", "pass", "no_baseline"]
    assert [one.name for one in findings] == [None, "long", None, None]
    assert "(did you mean 't.py::b'?)" in findings[-1].judgement.reason
    assert gravest(findings) == "regressed"


def test_two_baselines_of_one_test_are_told_apart_by_the_user(bench, filed, tmp_path):
    bench.record()
    path = filed(bench.measure(SAME))
    for profile in ("h100x1", "l4x1"):
        store.save(tmp_path / "b" / profile / "x.json", bench.path.read_text())
    with pytest.raises(
        ConfigurationError, match=r"stands in .*h100x1.* and in .*l4x1.*the folder of one profile"
    ):
        judged(path, tmp_path / "b")
    assert judged(path, tmp_path / "b" / "l4x1").verdict == "pass"


def test_a_folder_without_baselines_is_told(bench, filed, tmp_path):
    path = filed(bench.measure(SAME, baseline=False))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"no baseline file \(\*\.json\) in this folder"):
        judged(path, tmp_path / "empty")


def test_the_order_of_gravity_hides_no_regression():
    def finding(verdict):
        return Finding(test="t", name=None, judgement=Judgement(verdict=verdict, reason=""))

    for i, verdict in enumerate(GRAVEST_FIRST):
        assert gravest([finding(v) for v in reversed(GRAVEST_FIRST[i:])]) == verdict
    assert GRAVEST_FIRST[0] == "regressed"


# What cannot be compared.


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workload": "0" * 64}, "the requests themselves differ"),
        ({"model": "other"}, "model was 'm', is 'other'"),
        ({"accelerator": "NVIDIA L4"}, "accelerator was None, is 'NVIDIA L4'"),
        ({"test": "t.py::other"}, "test was 'tests/test_chat.py::test_chat', is 't.py::other'"),
    ],
)
def test_another_workload_model_or_card_is_not_comparable(bench, filed, change, says):
    bench.record()
    finding = judged(filed(other(bench.measure(SAME), **change)), bench.path)
    assert finding.verdict == "not_comparable"
    assert says in finding.judgement.reason


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (Server(osl=8), "the answers were 4 tokens long, are 8"),
        (Server(isl=150), "the prompts were 128 tokens long, are 150"),
        (Server(usage=False), "output tokens were counted as usage, now as content_messages"),
    ],
)
def test_other_lengths_are_not_comparable_though_the_requests_are(bench, filed, server, says):
    bench.record()
    finding = judged(filed(bench.measure(server, baseline=False)), bench.path)
    assert finding.verdict == "not_comparable"
    assert says in finding.judgement.reason


def test_the_limit_that_the_measurement_had_for_lengths_holds(bench, filed):
    bench.record(validity={"isl_as_baseline": 0.3})
    measurement = bench.measure(Server(isl=150), validity={"isl_as_baseline": 0.3})
    assert measurement.verdict == "pass"
    assert judged(filed(measurement), bench.path).verdict == "pass"


def test_statistics_of_another_version_are_not_comparable(bench, filed):
    bench.record()
    path = edited(filed(bench.measure(SAME)), lambda d: d.update(stats_version=2))
    finding = judged(path, bench.path)
    assert finding.verdict == "not_comparable"
    assert "statistics have version 2" in finding.judgement.reason


def test_an_invalid_measurement_is_neither_judged_nor_a_baseline(bench, filed):
    bench.record()
    measurement = bench.measure(Server(isl=150))
    assert measurement.verdict == "invalid"
    path = filed(measurement)
    assert judged(path, bench.path).verdict == "invalid"
    assert judged(path, bench.path).judgement.reason == measurement.judgement.reason
    finding = judged(filed(bench.measure(SAME), name="other.json"), path)
    assert finding.verdict == "no_baseline"
    assert "is invalid, so it is no baseline" in finding.judgement.reason


def test_a_measurement_that_could_not_be_made_is_invalid(bench, filed):
    bench.record()
    failed = failed_document(node_id=NODE_ID, name=None, reason="cannot reach it")
    for baseline in (bench.path, None):
        finding = judged(filed(failed), baseline)
        assert (finding.verdict, finding.judgement.reason) == ("invalid", "cannot reach it")


# Files that were cut or edited.


def session_of(document, index=0):
    return document["measurements"][0]["sessions"][index]


def metric_of(document, run, tag="time_to_first_token"):
    return session_of(document)["runs"][run]["metrics"][tag]


def plain(document, tag="time_to_first_token"):
    """Take the histograms away: they contradict an edited figure."""
    for run in session_of(document)["runs"]:
        run["metrics"][tag] |= {"hist": None, "min": None, "max": None}


def every(document, **figures):
    plain(document)
    for run in session_of(document)["runs"]:
        run["metrics"]["time_to_first_token"] |= figures


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema=2), r"written by a newer pytest-aiperf \(schema 2"),
        (lambda d: d.update(schema="1"), "not a result document: its 'schema' is '1'"),
        (lambda d: d.pop("schema"), "not a result document: its 'schema' is None"),
        (lambda d: d.update(measurements=[]), "it holds no measurement: nothing was measured"),
        (lambda d: d.update(measurments=[]), r"unknown key 'measurments' \(did you mean 'measurements'\?\)"),
        (
            lambda d: d["measurements"][0].update(sesions=[]),
            r"at measurements\.0: .*unknown key 'sesions' \(did you mean 'sessions'\?\)",
        ),
        (
            lambda d: d["measurements"][0].update(sessions=[]),
            r"at measurements\.0: .*it has no sessions, so there is nothing to judge",
        ),
        (lambda d: d["measurements"][0].update(key=None), "key and terms are null only where"),
        (lambda d: d["measurements"][0].pop("judged"), r"at measurements\.0\.judged: Field required"),
        (lambda d: session_of(d).update(runs=[]), r"at measurements\.0\.sessions\.0\.runs: .*at least 1"),
        (
            lambda d: session_of(d)["runs"][1].update(n_ok=-1),
            r"at measurements\.0\.sessions\.0\.runs\.1\.n_ok: .*greater than or equal to 0",
        ),
        (
            lambda d: metric_of(d, 1).update(p50="fast"),
            r"runs\.1\.metrics\.time_to_first_token\.per request\.p50",
        ),
        (
            lambda d: metric_of(d, 1).update(p50=1e6),
            r"runs\.1\.metrics\.time_to_first_token\.p\d+: ",
        ),
        (
            lambda d: metric_of(d, 1)["hist"]["count"].append(1),
            r"bins but \d+ counts",
        ),
        (lambda d: d["measurements"][0].update(sessions=[session_of(d)] * 3), "at most 2"),
        (
            lambda d: d["measurements"][0]["judged"][0].update(metric="tfft.p50"),
            r"unknown metric 'tfft' \(did you mean 'ttft'\?\)",
        ),
        (
            lambda d: d["measurements"][0]["judged"][0].update(metric="ttft.p75"),
            r"at judged: ttft\.p75 is nothing that can be judged",
        ),
        (lambda d: d["measurements"][0]["judged"][0].update(tolerance=-0.1), r"judged\.0\.tolerance"),
        (lambda d: d["measurements"][0]["terms"].update(looks=[5, 3, 8]), "looks are numbers of runs in asc"),
        (
            lambda d: d["measurements"][0]["terms"].update(alpha_fail=[0.01]),
            "alpha_fail has 1 values for 3 looks",
        ),
        (lambda d: d["measurements"][0]["terms"].update(alpha_pass=[0.9] * 3), r"terms\.alpha_pass\.0"),
        (
            lambda d: d["measurements"].append(d["measurements"][0]),
            "tests/test_chat.py::test_chat stands there twice",
        ),
    ],
)
def test_a_result_that_says_nothing_sound_is_an_error_with_its_place(bench, filed, change, message):
    bench.record()
    path = edited(filed(bench.measure(SAME)), change)
    with pytest.raises(ConfigurationError, match=message) as error:
        judged(path, bench.path)
    assert str(path) in str(error.value) or "unknown metric" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read: it is empty"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("null", "neither a baseline file .* nor a result document"),
        ('{"a": 1}', "neither a baseline file .* nor a result document"),
        ('{"schema": 1, "measurements": NaN}', "not JSON: NaN is not a number of JSON"),
        ('{"schema": 1, "sessions": [], "key": -Infinity}', "not JSON: -Infinity is not a number of JSON"),
        (b"\xff\xfe", "cannot be read: .*utf-8"),
    ],
)
@pytest.mark.parametrize("side", ["result", "baseline"])
def test_a_file_that_is_neither_is_told_with_its_name(bench, filed, tmp_path, text, message, side):
    bench.record()
    wrong = tmp_path / "wrong.json"
    wrong.write_bytes(text if isinstance(text, bytes) else text.encode())
    good = filed(bench.measure(SAME, baseline=False))
    pair = (wrong, bench.path) if side == "result" else (good, wrong)
    with pytest.raises(ConfigurationError, match=message) as error:
        judged(*pair)
    assert str(wrong) in str(error.value)


def test_what_is_not_there_or_not_a_file_is_told(bench, tmp_path):
    bench.record()
    with pytest.raises(ConfigurationError, match=r"nothing\.json: there is no such file"):
        judged(tmp_path / "nothing.json", bench.path)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        judged(tmp_path, bench.path)


def test_a_broken_baseline_is_told_with_its_place(bench, filed):
    bench.record()
    path = filed(bench.measure(SAME))
    edited(bench.path, lambda b: b["sessions"][0]["runs"][2].update(n_err=-1))
    with pytest.raises(BaselineError, match=r"test_chat\.json: at sessions\.0\.runs\.2\.n_err"):
        judged(path, bench.path)


def test_swapped_files_are_told(bench, filed):
    bench.record()
    path = filed(bench.measure(SLOW))
    with pytest.raises(ConfigurationError, match="are they swapped\\? Write: pytest-aiperf judge"):
        judged(bench.path, path)


@pytest.mark.parametrize(
    ("change", "verdict", "says"),
    [
        (
            lambda d: every(d, p50=None),
            "inconclusive",
            "the candidate has no usable run among 3: 3 without a value",
        ),
        (lambda d: every(d, p50=0), "inconclusive", "no ratio can be formed with 0"),
        (lambda d: every(d, p50=-3.0), "inconclusive", "3 with a negative value"),
        (lambda d: session_of(d)["runs"][0]["metrics"].pop("time_to_first_token"), "pass", "1 run"),
        (lambda d: session_of(d).update(runs=session_of(d)["runs"][:1]), "pass", "within tolerance"),
        (lambda d: d["measurements"][0].update(judged=[]), "pass", "within tolerance: stall_share"),
    ],
    ids=["none", "zero", "negative", "missing in one run", "one run", "nothing judged"],
)
def test_values_that_say_nothing_have_a_stated_verdict(bench, filed, change, verdict, says):
    bench.record()
    path = edited(filed(bench.measure(SAME)), change)
    finding = judged(path, bench.path, tolerance=["ttft=60%", "itl=60%"] if "run" in says else [])
    shown = f"{finding.judgement.reason} {[c.reason for c in finding.judgement.comparisons]}"
    assert (finding.verdict, says in shown) == (verdict, True), shown


def test_an_infinite_value_is_not_read(bench, filed):
    bench.record()
    path = filed(bench.measure(SAME))
    text = path.read_text()
    window = json.loads(text)["measurements"][0]["sessions"][0]["runs"][0]["window_s"]
    path.write_text(text.replace(f'"window_s": {window}', '"window_s": 1e999', 1))
    with pytest.raises(ConfigurationError, match=r"window_s: .*must be finite, got inf"):
        judged(path, bench.path)


def test_a_second_session_of_other_length_confirms_as_well(bench, filed):
    bench.record()
    path = filed(bench.measure(SLOW))
    edited(path, lambda d: session_of(d, 1).update(runs=session_of(d, 1)["runs"][:2]))
    assert judged(path, bench.path).verdict == "regressed"


def test_every_field_of_a_document_is_known_to_the_reader(bench, filed):
    """Who adds one says there whether a verdict depends on it."""
    document = measurement_document(bench.measure(SAME), node_id=NODE_ID)
    assert document.keys() <= Measured.model_fields.keys()
    assert Measured.model_fields.keys() == NOT_READ | FiledMeasurement.model_fields.keys()


@pytest.mark.parametrize("load", [{"request_rate": -1}, {"osl": 0}, {"streaming": "maybe"}])
def test_a_load_that_cannot_be_is_told(bench, filed, load):
    bench.record()
    path = edited(filed(bench.measure(SAME)), lambda d: d["measurements"][0]["key"]["load"].update(load))
    edited(bench.path, lambda b: b["key"]["load"].update(load))
    with pytest.raises(ConfigurationError, match=r"the load of tests/test_chat\.py::test_chat cannot be"):
        judged(path, bench.path)


# What is written about it.


def test_the_document_and_the_text_say_the_verdict_and_its_table(bench, filed):
    bench.record()
    findings = judge_files(filed(bench.measure(SLOW)), bench.path, Wishes())
    document = verdict_document(findings)
    (entry,) = document["measurements"]
    assert (document["schema"], document["verdict"]) == (1, "regressed")
    assert (entry["test"], entry["name"], entry["note"], entry["changes"]) == (NODE_ID, None, None, [])
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    lines = verdict_text(findings).splitlines()
    assert lines[0] == f"{NODE_ID}: regressed"
    assert lines[1] == f"  {entry['headline']}"
    assert sum("REGRESSED" in line for line in lines) == 2


def test_what_has_changed_since_and_a_note_are_shown(bench, filed):
    bench.record()
    measurement = bench.measure(SLOW, mode="measure")
    changed = replace(measurement, environment=Environment(client="pytest-aiperf 9.9"))
    text = verdict_text(judge_files(filed(changed), bench.path, Wishes()))
    assert "  client pytest-aiperf 9.9 (was pytest-aiperf " in text
    assert text.rstrip().endswith("worse in one session; there is no second one that would confirm it")


def test_control_characters_of_a_reason_do_not_reach_the_screen(bench, filed):
    bench.record()
    failed = failed_document(node_id=NODE_ID, name="x", reason="said \x1b[2J\nand more")
    text = verdict_text(judge_files(filed(failed), bench.path, Wishes()))
    assert text == f"{NODE_ID}#x: invalid\n  said \N{REPLACEMENT CHARACTER}[2J\n  and more\n"


def test_the_same_files_give_the_same_document(bench, filed):
    bench.record()
    path = filed(bench.measure(SLOW))
    first, second = (verdict_document(judge_files(path, bench.path, Wishes())) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_errors_of_files_are_of_the_package(tmp_path):
    """A command turns these into a message; anything else is a defect."""
    with pytest.raises(AiperfError):
        judge_files(tmp_path / "x", tmp_path / "y", Wishes())


def test_a_result_with_a_baseline_of_one_session_is_read_as_it_was_written(bench, filed):
    bench.record()
    path = filed(bench.measure(SAME))
    (entry,) = json.loads(path.read_text())["measurements"]
    session = Session.model_validate(entry["sessions"][0])
    baseline = Baseline(key=store.load(bench.path).key, anchor=session.id, sessions=(session,))
    assert store.parse(store.dump(baseline), source="x").sessions[0].id == session.id
