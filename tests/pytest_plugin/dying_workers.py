"""A suite whose tests kill the worker that runs them: before, while or after it measures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from process_family import ANY_NOISE, family, pytest_run, until

from pytest_aiperf.services.endpoint_lock import endpoint_lock

SUITE = """
    import json, os, signal, threading, time, urllib.request
    import pytest

    URL = {url!r}
    NAMES = {names!r}

    def die(how):
        if how == "exit":
            os._exit(9)
        os.kill(os.getpid(), signal.SIGKILL)

    def requests():
        with urllib.request.urlopen(URL + "/log", timeout=30) as answer:
            return len(json.load(answer)["requests"])

    def die_while_it_measures(how):
        before = requests()
        while requests() < before + 10:
            time.sleep(0.02)
        die(how)

    @pytest.mark.aiperf(
        concurrency=4, isl=8, osl=4, request_count=20, metrics=["ttft.p50"], tolerance={{"ttft.p50": "900%"}}
    )
    @pytest.mark.parametrize("name", NAMES)
    def test_chat(aiperf, name):
        when, _, how = name.partition("-")
        if name not in os.environ.get("DEATHS", "").split():
            how = ""
        elif when == "during":
            open("measuring", "a").write(str(os.getpid()))
            if how != "outside":
                threading.Thread(target=die_while_it_measures, args=(how,), daemon=True).start()
        if how and when == "before":
            die(how)
        aiperf.run(request_count=20 if not how or when != "during" else 4000)
        if how and when == "after":
            die(how)
"""


@dataclass
class DyingWorkers:
    """The suite in a folder, with a baseline for each of its tests."""

    folder: Path
    url: str
    output: str = ""
    files: dict[str, bytes] = field(default_factory=dict)

    def record(self, *names: str) -> None:
        """Write the suite, with a test of each name, and record its baselines."""
        text = SUITE.format(url=self.url, names=names)
        (self.folder / "test_deaths.py").write_text("\n".join(line[4:] for line in text.splitlines()))
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        self.run("--aiperf-update", "-p", "no:xdist")
        assert len(self.files) == len(names), self.output

    def copy(self, folder: Path) -> DyingWorkers:
        """Return one that has the same files elsewhere."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return DyingWorkers(folder, self.url, files=dict(self.files))

    def run(self, *arguments: str, deaths: Iterable[str] = (), meanwhile=lambda session: None) -> None:
        """Run it to its end, and see that no process and no lock is left. Tests whose name is in `deaths` kill."""
        (self.folder / "measuring").unlink(missing_ok=True)
        common = (f"--aiperf-endpoint={self.url}", "--aiperf-num-profile-runs=3", "--aiperf-json=out.json")
        environment = {"DEATHS": " ".join(deaths)}
        with pytest_run(self.folder, *common, ANY_NOISE, *arguments, **environment) as process:
            meanwhile(process.pid)
            self.output, _ = process.communicate(timeout=150)
            until(lambda: not family(process.pid), "its processes to end")
        with endpoint_lock([self.url], longest_wait_s=0.0):
            pass
        assert "INTERNALERROR" not in self.output, self.output
        self.files = {p.name: p.read_bytes() for p in self.folder.rglob("__aiperf__/**/*") if p.is_file()}

    def measured(self) -> set[str]:
        """The tests of which the document has figures."""
        return {test for test, measurement in self._measurements() if measurement["verdict"] != "invalid"}

    def lost(self) -> set[str]:
        """The tests of which the document says that their worker died."""
        return {
            test for test, measurement in self._measurements() if "crashed" in (measurement["reason"] or "")
        }

    def _measurements(self) -> list[tuple[str, dict]]:
        document = json.loads((self.folder / "out.json").read_text())
        return [(m["test"].partition("[")[2][:-1], m) for m in document["measurements"]]

    def changed(self, before: dict[str, bytes]) -> set[str]:
        """The tests with another file than before; there are as many files, and each is whole."""
        assert self.files.keys() == before.keys()
        for text in self.files.values():
            assert json.loads(text)["sessions"]
        return {_test(name) for name, text in self.files.items() if text != before[name]}


def _test(file_name: str) -> str:
    return file_name.partition("[")[2].partition("]")[0]
