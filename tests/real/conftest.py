"""The real inference server, started once a session. Where it is not installed, this folder is skipped."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from llama_process import llama_process


@pytest.fixture(scope="session", autouse=True)
def _installed():
    missing = [name for name in ("llama_cpp", "gguf") if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}: run `tox -e real`, which builds the inference server")


@pytest.fixture(scope="session")
def serve(tmp_path_factory, _installed):
    """A function that returns a context manager which serves a new tiny model: `serve("name", blanks=8)`."""
    from tiny_model import write_model

    def start(name, *, interrupt_requests=False, embedding=False, **model):
        folder = tmp_path_factory.mktemp(name)
        path = write_model(folder / "tiny.gguf", **model)
        log = folder / "server.log"
        return llama_process(path, log, interrupt_requests=interrupt_requests, embedding=embedding)

    return start


@pytest.fixture(scope="session")
def llama_server(serve):
    """URL of a server that lets requests queue; each token that it generates has text."""
    with serve("llama") as url:
        yield url


@pytest.fixture(scope="module")
def embedding_server(serve):
    """URL of a server that answers ``/v1/embeddings`` beside chat and completions."""
    with serve("embedding", embedding=True) as url:
        yield url


@pytest.fixture(scope="module")
def blank_start_server(serve):
    """URL of a server whose every answer opens with 12 messages without text."""
    with serve("blank_start", blanks=12) as url:
        yield url


@pytest.fixture(scope="module")
def interrupting_server(serve):
    """URL of a server with its default: a new request cuts the running stream."""
    with serve("interrupting", interrupt_requests=True) as url:
        yield url
