"""What the baseline command prints: text within 80 columns that says it all, and documents that never vary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_aiperf.baseline import history
from pytest_aiperf.baseline.inventory import StoredFile
from pytest_aiperf.baseline.orphans import Finding
from pytest_aiperf.baseline.schema import (
    Baseline,
    BaselineKey,
    Distribution,
    Environment,
    Recorded,
    Run,
    Session,
    SingleValue,
    Variance,
)
from pytest_aiperf.exporters.baseline_changes import diff_lines, prune_lines
from pytest_aiperf.exporters.baseline_documents import (
    diff_document,
    list_document,
    prune_document,
    rendered,
    show_document,
)
from pytest_aiperf.exporters.baseline_tables import list_lines, show_lines
from pytest_aiperf.measure.baseline_diff import diff_files

PATH = Path("tests/perf/__aiperf__/h100x1/test_chat/test_chat[8]-5d1c09ae.json")
KEY = BaselineKey(
    test="tests/perf/test_chat.py::test_chat[8/2]",
    name="long",
    workload="c2e71f40" * 8,
    load={"mode": "concurrency", "concurrency": 8, "request_count": 200, "streaming": True},
    model="meta-llama/Llama-3.1-8B",
    accelerator="NVIDIA H100 80GB HBM3",
)


def session(name, day, *, ttft=300.0, **recorded):
    ttft_of = Distribution(unit="ms", direction="lower", count=200, p50=ttft, var_within={"p50": 1e-4})
    metrics = {
        "time_to_first_token": ttft_of,
        "request_throughput": SingleValue(unit="requests/s", direction="higher", value=11.0),
    }
    return Session(
        id=name,
        runs=(Run(n_ok=198, n_err=2, window_s=18.0, metrics=metrics),) * 5,
        environment=Environment(client="pytest-aiperf 0.1.0", server="vllm 0.25.0", host="0123456789ab"),
        recorded=Recorded(**{"at": f"{day}T10:00:00Z", "commit": "1a2b3c4d", "dirty": False} | recorded),
    )


def stored():
    first = history.first(KEY, session("old", "2026-10-01", ttft=250.0))
    level = history.new_level(first, KEY, session("level", "2026-11-02", commit="5e6f7a8b", dirty=True))
    return history.append(level, session("later", "2026-11-09"))


def files(*more):
    return [StoredFile(path=PATH, baseline=stored()), *more]


BROKEN = StoredFile(path=PATH.with_name("b-01234567.json"), problem=f"{PATH}: not JSON: line 1")


class TestList:
    """One line a file."""

    def test_a_line_tells_test_name_sessions_runs_dates_and_figures(self):
        head, columns, line, counts = list_lines(files())
        assert head == "tests/perf/__aiperf__  profile h100x1  tests/perf/test_chat.py"
        assert columns.split() == ["test", "judged", "runs", "recorded", "ttft", "itl", "req/s"]
        name, *rest = line.split()
        assert "test_chat[8/2]#long".endswith(name.removeprefix("…"))
        assert " ".join(rest) == "2 of 3 15 2026-10-01 .. 2026-11-09 300 ms - 11"
        assert counts == "1 baseline, 3 sessions"

    def test_commits_stand_beside_the_dates_where_there_is_room(self):
        wide = list(list_lines(files(), width=120))[2]
        assert "2026-10-01 1a2b3c4d .. 2026-11-09 1a2b3c4d" in wide

    def test_a_broken_file_stands_last_with_its_message(self):
        lines = list(list_lines(files(BROKEN)))
        assert " ".join(" ".join(lines[3:-1]).split()) == f"broken: {BROKEN.problem}"
        assert lines[-1] == "1 baseline, 3 sessions, 1 broken"

    @pytest.mark.parametrize("width", [80, 100])
    def test_no_line_is_wider_than_asked(self, width):
        long_key = KEY.model_copy(update={"test": f"tests/test_x.py::test_{'y' * 100}"})
        long_one = StoredFile(path=PATH, baseline=stored().model_copy(update={"key": long_key}))
        lines = list(list_lines([*files(), long_one], width=width))
        assert max(map(len, lines)) <= width
        assert any("  …yyy" in line for line in lines)

    def test_tests_of_one_file_stand_together(self):
        other = StoredFile(
            path=PATH,
            baseline=stored().model_copy(
                update={"key": KEY.model_copy(update={"test": "a/test_chat.py::test_b"})}
            ),
        )
        lines = list(list_lines([*files(), other, *files()]))
        assert sum("profile" in line for line in lines) == 2

    def test_the_document_has_the_same_and_the_problem(self):
        good, bad = list_document(files(BROKEN))["baselines"]
        assert (good["sessions"], good["judged_sessions"], good["runs"]) == (3, 2, 15)
        assert good["first"]["at"] == "2026-10-01T10:00:00Z"
        assert [one["metric"] for one in good["figures"]] == ["time_to_first_token.p50", "request_throughput"]
        assert bad == {"file": BROKEN.path.as_posix(), "profile": "h100x1", "problem": BROKEN.problem}


class TestShow:
    """One file in full."""

    def test_it_tells_key_sessions_and_what_a_check_can_find(self):
        lines = list(show_lines(PATH, stored()))
        assert lines[:2] == [str(PATH), f"  {KEY.test}#long"]
        assert max(map(len, lines[2:])) <= 80
        text = " ".join(" ".join(lines).split())
        for part in (
            "model              meta-llama/Llama-3.1-8B",
            "concurrency 8, mode concurrency, request_count 200, streaming yes",
            "judged             2 of 3 sessions",
            "session old  history: not judged",
            "session level  anchor",
            "session later  judged",
            "2026-11-02T10:00:00Z, commit 5e6f7a8b with uncommitted changes",
            "5, 10 of 1000 requests failed",
            "server vllm 0.25.0",
            "ttft p50      250 ms  (95 % interval ",
            "calibrated      no: the gate uses its priors",
            "a check of 3 runs   allowed   would find",
        ):
            assert " ".join(part.split()) in text

    def test_calibrated_variances_are_shown(self):
        variance = {"time_to_first_token.p50": Variance(run_sd=0.019, tau=0.012, df=4)}
        text = "\n".join(show_lines(PATH, stored().model_copy(update={"variance": variance})))
        assert "time_to_first_token.p50  1.9 %  1.2 %  4" in text

    def test_the_document_has_every_session_and_the_outlook(self):
        document = show_document(PATH, stored())
        assert [(one["id"], one["judged"]) for one in document["sessions"]] == [
            ("old", False),
            ("level", True),
            ("later", True),
        ]
        assert [one["metric"] for one in document["outlook"]] == ["time_to_first_token.p50"]
        assert document["outlook"][0]["mde"] > 0.05

    def test_text_of_strangers_cannot_move_the_cursor(self):
        evil = stored().model_copy(update={"key": KEY.model_copy(update={"model": "\x1b[31mred\x07"})})
        assert "\x1b" not in "\n".join(show_lines(PATH, evil))
        assert "\x07" not in "\n".join(show_lines(PATH, evil))


class TestDiff:
    """A table within 80 columns and a reason for each row."""

    def diffed(self, ttft, **key) -> tuple[Baseline, object]:
        new = history.append(stored(), session("new", "2026-11-20", ttft=ttft))
        return diff_files(stored(), new.model_copy(update={"key": KEY.model_copy(update=key)}))

    def test_a_regression_is_told_first_and_in_its_row(self):
        lines = list(diff_lines([Path("old.json"), PATH], self.diffed(400.0)))
        assert lines[:2] == [f"old.json -> {PATH}", "REGRESSED"]
        [row] = [line for line in lines if line.startswith("  ttft p50 ") and "REGRESSED" in line]
        assert row.split()[2:6] == ["300", "ms", "400", "ms"]
        assert "+33 %" in row
        assert any("worse by more than the tolerance of 5 %" in line for line in lines)
        assert max(map(len, lines[1:])) <= 80

    def test_the_comparison_with_the_anchor_stands_below_and_counts_only_when_red(self):
        lines = list(diff_lines([PATH], self.diffed(300.0)))
        i = next(i for i, line in enumerate(lines) if line.startswith("  ttft p50 "))
        assert lines[i + 1].startswith("    since 2026-11-02 ")
        assert lines[i + 1].endswith("%")

    def test_another_key_is_told_and_nothing_else(self):
        assert list(diff_lines([PATH], self.diffed(300.0, model="other"))) == [
            str(PATH),
            "not comparable:",
            "  model was 'meta-llama/Llama-3.1-8B', is 'other'",
        ]

    def test_without_a_new_session_it_says_so(self):
        lines = list(diff_lines([PATH, PATH], diff_files(stored(), stored())))
        assert lines[1] == "nothing to judge: no session is new: there is nothing to judge"

    def test_the_document_has_verdict_and_rows(self):
        document = diff_document([PATH], self.diffed(400.0))
        assert document["verdict"] == "regressed"
        assert document["comparisons"][0]["metric"] == "time_to_first_token.p50"
        assert document["now"]["id"] == "new"


class TestPrune:
    """What goes, what stays, and why."""

    FINDINGS = (
        Finding(file=StoredFile(path=Path("a.json")), state="unchecked", why="cannot be told"),
        Finding(file=StoredFile(path=Path("b.json")), state="orphan", why="there is no test_b.py"),
        Finding(file=StoredFile(path=Path("c.json")), state="used"),
    )

    def test_a_dry_run_says_what_would_go_and_how(self):
        assert list(prune_lines(self.FINDINGS, deleted=False)) == [
            "would go: b.json",
            "    there is no test_b.py",
            "kept: a.json",
            "    cannot be told",
            "1 to delete, 1 used, 1 unchecked and kept",
            "Nothing was deleted. Give --yes to delete them.",
        ]

    def test_afterwards_it_says_what_went(self):
        lines = list(prune_lines(self.FINDINGS, deleted=True))
        assert lines[0] == "deleted: b.json"
        assert lines[-1] == "1 deleted, 1 used, 1 unchecked and kept"

    def test_the_document_has_each_file_once(self):
        document = prune_document(self.FINDINGS, deleted=False)
        assert [one["state"] for one in document["findings"]] == ["unchecked", "orphan", "used"]
        assert document["deleted"] is False


@pytest.mark.parametrize(
    "make",
    [
        lambda: list_document(files(BROKEN)),
        lambda: show_document(PATH, stored()),
        lambda: diff_document([PATH], TestDiff().diffed(400.0)),
        lambda: prune_document(TestPrune.FINDINGS, deleted=True),
    ],
)
def test_documents_are_the_same_bytes_each_time_sorted_and_without_noise(make):
    text = rendered(make())
    assert text == rendered(make())
    document = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert json.dumps(document, indent=2, sort_keys=True) == text
    assert document["schema"] == 1
    assert text.isascii()


def test_figures_have_six_significant_digits():
    assert json.loads(rendered({"a": [1 / 3, float("inf"), 7, True]}))["a"] == [0.333333, None, 7, True]
