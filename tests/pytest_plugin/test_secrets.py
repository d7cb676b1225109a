"""The API key and header values of the environment: in nothing that is shown or kept, whatever the server echoes."""

from __future__ import annotations

import pytest
from echo_endpoint import echoing
from perf_suite import ONE_TEST

KEY = "Zebra/Quokka+Narwhal.Wombat="
TENANT = "Axolotl & Vicuna <Bandicoot>"
GATEWAY = "Puffin\"Razorbill'Guillemot\\Cormorant"
ANIMALS = ("zebr", "quok", "narw", "womb", "axol", "vicu", "bandi", "puff", "razor", "guill", "cormo")
"""Parts of the secrets, cut short: half a secret is one too. The base64 of the key begins as the last one does."""
BASE64_OF_KEY = "WmVicmEv"
LOAD = "concurrency=2, isl=8, osl=4, request_count=20, headers={'x-tenant': '$TENANT', 'x-gateway-key': '$GATEWAY'}"
LOUD = (
    "--showlocals", "--tb=long", "--full-trace", "-vv", "--capture=no", "-ra",
    "--log-level=DEBUG", "-o", "log_cli=true", "--log-file=pytest.log",
    "--junit-xml=junit.xml", "-o", "junit_logging=all",
    "--aiperf-markdown=summary.md", "--aiperf-artifacts=artifacts", "--durations=5",
)  # fmt: skip
TRACE = "--debug=trace.log"
"""Not where a fixture of the user's gives a secret: pytest writes down what fixtures give."""

CONFTEST = """
    import os
    from pathlib import Path

    import pytest

    @pytest.fixture
    def aiperf_endpoint(request):
        kind = request.node.name.removeprefix("test_")
        return f"{os.environ['SERVER']}/{os.environ.get('CHAT', 'ok') if kind == 'chat' else kind}/{os.getpid()}"

    def pytest_aiperf_before_measure(item, name, config):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            with open("command_lines", "ab") as file:
                file.write(line + b"\\n")

    def pytest_aiperf_after_measure(item, name, result):
        if item.name == "test_hook":
            raise RuntimeError("a hook of the user's")
"""
CHAT = f"""
    import pytest

    pytestmark = pytest.mark.aiperf({LOAD}, metrics=["ttft.p50"], tolerance={{"ttft.p50": "50%"}})

    def test_chat(aiperf):
        aiperf.run()
"""
TROUBLE = ("refused", "half", "page", "not_json", "told_in_stream", "garbage", "dies", "models_refused",
           "models_garbage")  # fmt: skip
"""Errors of their tests: no measurement."""
TROUBLES = f"""
    import os
    from pathlib import Path

    import pytest

    pytestmark = pytest.mark.aiperf({LOAD}, judge=False)

    @pytest.mark.timeout(2)
    def test_hangs(aiperf):
        aiperf.run()

    def test_hook(aiperf):
        mine = os.environ["AIPERF_API_KEY"]
        aiperf.run()

""" + "".join(f"    def test_{name}(aiperf):\n        aiperf.run()\n\n" for name in TROUBLE)


@pytest.fixture(autouse=True)
def secrets(pytester, monkeypatch):
    """In the environment, and a folder for temporary files that is searched too."""
    monkeypatch.setenv("AIPERF_API_KEY", KEY)
    monkeypatch.setenv("TENANT", TENANT)
    monkeypatch.setenv("GATEWAY", GATEWAY)
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("tmp")))


def leaks(pytester, result):
    """Where a part of a secret stands: names of files and lines of the output."""
    texts = {"output": result.stdout.str() + result.stderr.str()}
    for path in pytester.path.rglob("*"):
        texts[str(path)] = f"{path}\n" + (
            path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
        )
    assert len(texts) > 5
    return [
        f"{where}: {line[:2000]}"
        for where, text in texts.items()
        for line in text.splitlines()
        if BASE64_OF_KEY in line or any(animal in line.lower() for animal in ANIMALS)
    ]


def expect_trouble(suite, result):
    """Everything went wrong, as it should, and nothing leaked."""
    verdicts = {m["test"].rpartition("test_")[2]: m["verdict"] for m in suite.document()["measurements"]}
    assert {verdicts[name] for name in TROUBLE} == {"invalid"}
    output = result.stdout.str()
    assert "Failed: Timeout" in output
    assert "RuntimeError: a hook of the user's" in output
    assert b"load_worker" in (suite.pytester.path / "command_lines").read_bytes()
    assert leaks(suite.pytester, result) == []


def test_no_secret_is_shown_or_kept_whatever_happens(suite, monkeypatch):
    suite.pytester.makeconftest(CONFTEST)
    suite.pytester.makepyfile(test_chat=CHAT)
    with echoing() as url:
        monkeypatch.setenv("SERVER", url)
        recorded = suite.run(*LOUD, TRACE, "--aiperf-update=missing", endpoint=None)
        recorded.assert_outcomes(passed=1)
        assert leaks(suite.pytester, recorded) == []
        monkeypatch.setenv("CHAT", "slow")
        suite.pytester.makepyfile(test_trouble=TROUBLES)
        failed = suite.run(*LOUD, TRACE, endpoint=None)
    failed.assert_outcomes(failed=3, errors=len(TROUBLE))
    assert "regressed" in suite.verdicts()
    expect_trouble(suite, failed)


def test_no_secret_is_shown_or_kept_by_workers(suite, monkeypatch):
    suite.pytester.makeconftest(CONFTEST)
    suite.pytester.makepyfile(test_trouble=TROUBLES)
    with echoing() as url:
        monkeypatch.setenv("SERVER", url)
        failed = suite.run(
            "-n2", "-l", "-v", "--junit-xml=junit.xml", "--aiperf-markdown=out.md", endpoint=None
        )
    failed.assert_outcomes(failed=2, errors=len(TROUBLE))
    expect_trouble(suite, failed)


def test_no_secret_is_shown_on_ctrl_c_while_the_server_is_asked(suite, monkeypatch):
    suite.pytester.makeconftest(CONFTEST)
    suite.pytester.makepyfile(
        test_it=f"""
        import pytest

        @pytest.mark.aiperf({LOAD})
        def test_interrupted(aiperf):
            aiperf.run()
    """
    )
    with echoing() as url:
        monkeypatch.setenv("SERVER", url)
        result = suite.run(*LOUD, TRACE, endpoint=None)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])
    assert leaks(suite.pytester, result) == []


def test_the_key_comes_from_the_environment_alone(suite):
    suite.pytester.makepyfile("""
        import pytest

        @pytest.mark.aiperf(api_key="Meerkat")
        def test_chat(aiperf):
            aiperf.run()
    """)
    assert suite.run("--aiperf-api-key=secret").ret == pytest.ExitCode.USAGE_ERROR
    result = suite.run("-o", "aiperf_api_key=Ocelot")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*unknown argument 'api_key'*"])
    assert "Ocelot" not in result.stdout.str() + (suite.pytester.path / "out.json").read_text()


CREDENTIALS = "http://Puffin:Wombat@127.0.0.1:9"
PLACES = {
    "option": (f"--aiperf-endpoint={CREDENTIALS}",),
    "several": (f"--aiperf-endpoint=http://127.0.0.1:9,{CREDENTIALS}/v1",),
    "slash": ("--aiperf-endpoint=http://Puffin:Wom/Womb@127.0.0.1:9",),
    "query": ("--aiperf-endpoint=http://127.0.0.1:9/v1?key=Wombat",),
    "against": ("--aiperf-endpoint=mock://", f"--aiperf-against={CREDENTIALS}"),
    "proxy": ("--aiperf-endpoint=mock://", f"--aiperf-proxy={CREDENTIALS}"),
    "ini": ("-o", f"aiperf_endpoint={CREDENTIALS}"),
}


@pytest.mark.parametrize("arguments", PLACES.values(), ids=PLACES)
def test_a_url_with_credentials_ends_the_run_and_is_not_shown(suite, arguments):
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run(*arguments, endpoint=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([".*(URL holds credentials|URL has a \\? or # part)"])
    assert leaks(suite.pytester, result) == []


def test_a_url_with_credentials_in_the_environment_ends_the_run_and_is_not_shown(suite, monkeypatch):
    monkeypatch.setenv("AIPERF_ENDPOINT", CREDENTIALS)
    suite.pytester.makepyfile(ONE_TEST)
    result = suite.run(*LOUD, endpoint=None)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*environment: AIPERF_ENDPOINT: the URL holds credentials*"])
    assert leaks(suite.pytester, result) == []


def test_a_url_with_credentials_from_fixture_or_marker_is_an_error_that_does_not_show_it(suite, monkeypatch):
    monkeypatch.setenv("PLACE", CREDENTIALS)
    suite.pytester.makeconftest("""
        import os
        import pytest

        @pytest.fixture
        def aiperf_endpoint(request):
            return os.environ["PLACE"] if "fixture" in request.node.name else "mock://"
    """)
    suite.pytester.makepyfile("""
        import os
        import pytest

        def test_fixture(aiperf):
            aiperf.run()

        @pytest.mark.aiperf(against=os.environ["PLACE"])
        def test_against(aiperf):
            aiperf.run()
    """)
    result = suite.run(*LOUD, "--aiperf-isolation=endpoint", endpoint=None)
    result.assert_outcomes(errors=2)
    assert result.stdout.str().count("E           ConfigurationError: ") == 2
    assert leaks(suite.pytester, result) == []
