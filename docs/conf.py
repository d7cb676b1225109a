"""How the documentation is built: ``sphinx-build -W --keep-going -b html docs OUT``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

from pytest_aiperf import __version__

project = "pytest-aiperf"
author = "The pytest-aiperf developers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
templates_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"pytest-aiperf {release}"
html_copy_source = False
html_show_sphinx = False


def _read_sections(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Turn ``Args:``, ``Returns:`` and ``Raises:`` into fields.

    napoleon as an extension would also take "text: more text" of an attribute for "type: description".
    """
    if what in ("class", "exception", "function", "method"):
        lines[:] = GoogleDocstring(lines, Config(), app, what, name, obj, options).lines()


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _read_sections)
