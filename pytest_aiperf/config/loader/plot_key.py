"""The plot envelope as it is read: from the key `plot:` of a configuration file, or from a file of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_snake

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import checked_read
from pytest_aiperf.common.problems import Keys, Problem, together
from pytest_aiperf.config.loader.marked_yaml import Finding, Marked, plain, read_marked
from pytest_aiperf.config.loader.substitution import Substitution
from pytest_aiperf.config.plot import PlotEnvelopeConfig

PLOT_KEY: Final = "plot"
RECEIPT_NAME: Final = ".aiperf-plot-config.yaml"
"""The envelope that plots were drawn by, beside the results."""
HOME_FILE: Final = Path(".pytest-aiperf", "plot_config.yaml")
"""In the home directory: for plots that nothing else describes."""
DEFAULT_FILE: Final = Path(__file__).resolve().parent.parent / "default_plot_config.yaml"


def plot_of(
    marked: Marked,
    *,
    file: Path,
    shown: str,
    substitution: Substitution,
) -> PlotEnvelopeConfig:
    """Return what the key `plot:` of a configuration file says: a path, relative to that file, or a mapping.

    Args:
        marked: its value.
        file: the configuration file.
        shown: how messages name it.
        substitution: of its variables.

    Raises:
        ConfigurationError: all that is wrong; where it is a path, messages name that file.
    """
    if not isinstance(marked.value, str):
        return _envelope(marked, shown=shown, above=(PLOT_KEY,), substitution=substitution)
    try:
        given = str(substitution.applied(marked).value)
    except ConfigurationError as error:
        raise _error(shown, [Finding(keys=(PLOT_KEY,), line=marked.line, message=str(error))]) from None
    path = Path(os.path.normpath(file.absolute().parent / Path(given).expanduser()))
    return read_plot_file(path, named_by=f"{shown}:{marked.line}: {PLOT_KEY}")


def read_plot_file(
    path: Path, *, shown: str | None = None, named_by: str | None = None
) -> PlotEnvelopeConfig:
    """Return the envelope that is a file of its own; `named_by` says which place names it, for messages.

    Raises:
        ConfigurationError: all that is wrong with it, with lines and keys.
    """
    name = shown or str(path)
    data, why = checked_read(path)
    if data is None:
        told = f"cannot be read: {why}" if why else "there is no such file"
        by = f" (named by {named_by})" if named_by else ""
        raise _error(name, [Finding(message=f"{told}{by}")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _error(name, [Finding(message="is not UTF-8 text; save it as UTF-8")]) from None
    read = read_marked(text)
    if read.findings:
        raise _error(name, read.findings)
    root = read.root or Marked(value=None, line=1)
    return _envelope(root, shown=name, above=(), substitution=Substitution({}, os.environ))


@cache
def default_envelope() -> PlotEnvelopeConfig:
    """Return what is drawn where nobody says anything."""
    return read_plot_file(DEFAULT_FILE)


def chosen_envelope(
    *, given: PlotEnvelopeConfig | None, beside: Path, home: Path | None = None
) -> PlotEnvelopeConfig:
    """Return the envelope that holds: the one that is given, else that of the results, of the user, the usual one.

    Args:
        given: by an option or a configuration file; the file in the home directory is ignored then.
        beside: the folder of the results, where an earlier envelope may lie.
        home: the user's; None: as the system says.

    Raises:
        ConfigurationError: a file is there that cannot be read, or is wrong.
    """
    if given is not None:
        return given
    for path in (beside / RECEIPT_NAME, (home or Path.home()) / HOME_FILE):
        if path.exists():
            return read_plot_file(Path(os.path.realpath(path)), shown=str(path))
    return default_envelope()


def is_auto_plot(envelope: PlotEnvelopeConfig | None, *, said: bool | None) -> bool:
    """Tell whether plots are drawn after a measurement: as the user said, else if there is an envelope."""
    return envelope is not None if said is None else said


def _envelope(marked: Marked, *, shown: str, above: Keys, substitution: Substitution) -> PlotEnvelopeConfig:
    findings: list[Finding] = []
    replaced = _substituted(marked, above, substitution, findings)
    if not findings:
        if not isinstance(replaced.value, dict):
            message = "holds no plots; write visualization: and, below it, what to draw"
            raise _error(shown, [Finding(keys=above, line=marked.line, message=message)])
        try:
            return PlotEnvelopeConfig.model_validate(plain(replaced))
        except ValidationError as error:
            findings = [*_findings(error, replaced, above)]
    raise _error(shown, findings)


def _substituted(marked: Marked, keys: Keys, substitution: Substitution, findings: list[Finding]) -> Marked:
    if isinstance(marked.value, dict):
        inner: Any = {
            key: _substituted(one, (*keys, key), substitution, findings) for key, one in marked.value.items()
        }
    elif isinstance(marked.value, list):
        inner = [
            _substituted(one, (*keys, str(number)), substitution, findings)
            for number, one in enumerate(marked.value)
        ]
    else:
        try:
            return substitution.applied(marked)
        except ConfigurationError as error:
            findings.append(Finding(keys=keys, line=marked.line, message=str(error)))
            return marked
    return replace(marked, value=inner)


def _findings(error: ValidationError, root: Marked, above: Keys) -> Iterator[Finding]:
    for problem in error.errors(include_url=False):
        keys, line = _place(root, problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        yield Finding(keys=(*above, *keys), line=line, message=message)


def _place(root: Marked, loc: Sequence[int | str]) -> tuple[Keys, int]:
    """Follow a place of pydantic's as far as the file goes; it names keys in camelCase, and tags of unions."""
    keys: list[str] = []
    here = root
    for part in loc:
        known = _children(here)
        name = next((key for key in (str(part), to_snake(str(part))) if key in known), None)
        if name is not None:
            keys.append(name)
            here = known[name]
        elif part == loc[-1]:  # a key that is missing
            keys.append(str(part))
    return tuple(keys), here.line


def _children(marked: Marked) -> Mapping[str, Marked]:
    if isinstance(marked.value, dict):
        return marked.value
    return {str(n): one for n, one in enumerate(marked.value)} if isinstance(marked.value, list) else {}


def _error(shown: str, findings: Sequence[Finding]) -> ConfigurationError:
    ordered = sorted(findings, key=lambda finding: finding.line or 0)
    return ConfigurationError(
        together(Problem(file=shown, line=f.line, keys=f.keys, message=f.message) for f in ordered)
    )
