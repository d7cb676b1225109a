"""The options as plain data: what pytest needs before anything heavy may be imported, rendered as a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, get_args, get_origin

import annotated_types

from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.cli_parameter import SELDOM, CLIParameter, Groups
from pytest_aiperf.config.coercion import (
    parse_duration_s,
    parse_fraction,
    parse_headers,
    parse_mapping,
    parse_thresholds,
    parse_workers,
)

_BY_COERCION: Final[Mapping[object, str]] = {
    parse_duration_s: "duration",
    parse_fraction: "fraction",
    parse_mapping: "mapping",
    parse_thresholds: "thresholds",
    parse_headers: "headers",
    parse_workers: "workers",
}
HEAD = '''"""PYTEST_DONT_REWRITE. Generated from pytest_aiperf/config/cli_config.py by docs/generate.py; do not edit."""

from __future__ import annotations

Bounds = tuple["float | None", "float | None", "float | None"]


class Option:
    """One option as pytest needs it: no pydantic is imported to print ``--help``.

    A plain class, because each pytest run of each user makes it: a NamedTuple takes as long as ten of its rows.
    """

    __slots__ = (
        "bare",
        "bounds",
        "choices",
        "field",
        "flag",
        "group",
        "help",
        "kind",
        "marker",
        "metavar",
        "path",
        "seldom",
    )

    def __init__(
        self,
        *,
        field: str,
        flag: str,
        kind: str,
        group: str,
        help: str,
        choices: tuple[str, ...] = (),
        bounds: Bounds = (None, None, None),
        metavar: str | None = None,
        bare: str | None = None,
        marker: bool = False,
        path: bool = False,
        seldom: bool = False,
    ) -> None:
        """`bounds`: least value, least value exclusive, greatest value. `path`: it names a file or a folder. `seldom`:
        it is not shown by ``pytest --help``.
        """
        self.field, self.flag, self.kind, self.group, self.help = field, flag, kind, group, help
        self.choices, self.bounds, self.metavar, self.bare = choices, bounds, metavar, bare
        self.marker, self.path, self.seldom = marker, path, seldom


OPTIONS: tuple[Option, ...] = (
'''


def parameter_of(field: Any) -> CLIParameter:
    """Return the `CLIParameter` of a `CLIConfig` field."""
    return next(item for item in field.metadata if isinstance(item, CLIParameter))


def rows() -> Iterator[dict[str, Any]]:
    """Yield one row per option, in the order of the declaration; only what differs from the row's defaults."""
    for name, field in CLIConfig.model_fields.items():
        parameter = parameter_of(field)
        kind, choices = _kind(field)
        row: dict[str, Any] = {
            "field": name,
            "flag": parameter.name[0].removeprefix("--"),
            "kind": kind,
            "group": str(parameter.group.value),
            "help": _help(field),
        }
        optional = {
            "choices": choices,
            "bounds": _bounds(field),
            "metavar": parameter.metavar,
            "bare": parameter.bare,
            "marker": parameter.marker,
            "path": parameter.path,
            "seldom": parameter.group in SELDOM,
        }
        yield row | {k: v for k, v in optional.items() if v not in ((), None, False, (None, None, None))}


def render_module() -> str:
    """Return the text of pytest_plugin/option_table.py."""
    lines = [HEAD]
    for row in rows():
        lines.append("    Option(\n")
        lines.extend(f"        {key}={value!r},\n" for key, value in row.items())
        lines.append("    ),\n")
    lines.append(")\n")
    return "".join(lines)


def render_markdown() -> str:
    """Return the text of docs/cli-options.md."""
    lines = ["# Options\n", "\n"]
    lines.append(
        "Every option can be given in several places; the first of these that gives it wins: `aiperf.run(...)`,\n"
    )
    lines.append(
        "the nearest `@pytest.mark.aiperf(...)`, outer markers, the command line, the environment, the ini file, the\n"
    )
    lines.append(
        "[configuration file](config-file.md). An option that is on or off is turned off by `--aiperf-no-...`, and by\n"
    )
    lines.append(
        "`false` elsewhere. A relative path of the ini file is relative to pytest's root directory.\n"
    )
    lines.append(
        "The environment variable of `--aiperf-request-count` is `AIPERF_REQUEST_COUNT`. The API key comes from\n"
    )
    lines.append("`AIPERF_API_KEY` only: command lines are copied into logs and to every xdist worker.\n")
    table = list(rows())
    for group in Groups:
        members = [row for row in table if row["group"] == group.value]
        if members:
            lines.append(f"\n## {group.value}\n\n")
            lines.append(
                "| option | ini key | marker and `run()` | default | meaning |\n|---|---|---|---|---|\n"
            )
            lines.extend(_markdown_row(row) for row in members)
    return "".join(lines)


def _markdown_row(row: dict[str, Any]) -> str:
    field = CLIConfig.model_fields[row["field"]]
    default = "" if field.default is None else f"`{field.default}`"
    marker = f"`{row['field']}=`" if row.get("marker") else ""
    value = f"={row['metavar']}" if row.get("metavar") else ""
    if row.get("choices") and row["kind"] == "choice":
        value = "=" + "\\|".join(row["choices"])
    text = row["help"].replace("%%", "%").replace("|", "\\|")
    return f"| `--aiperf-{row['flag']}{value}` | `aiperf_{row['field']}` | {marker} | {default} | {text} |\n"


def _help(field: Any) -> str:
    text = str(field.description)
    shown = field.default if not isinstance(field.default, bool) else None
    return text if shown is None or "Default" in text else f"{text} Default: {shown}."


def _kind(field: Any) -> tuple[str, tuple[str, ...]]:
    annotation = field.annotation
    members = [a for a in get_args(annotation) if a is not type(None)]
    if type(None) in get_args(annotation):
        annotation = get_args(members[0])[0] if get_origin(members[0]) is Annotated else members[0]
    coercions = [getattr(item, "func", None) for item in field.metadata]
    for parse, kind in _BY_COERCION.items():
        if parse in coercions:
            return kind, ()
    if get_origin(annotation) is list:
        return "list", get_args(get_args(annotation)[0])
    if get_args(annotation):
        return "choice", tuple(get_args(annotation))
    return {bool: "bool", int: "int", float: "float"}.get(annotation, "str"), ()


def _bounds(field: Any) -> tuple[float | None, float | None, float | None]:
    least = over = most = None
    for item in field.metadata:
        if isinstance(item, annotated_types.Ge):
            least = item.ge
        elif isinstance(item, annotated_types.Gt):
            over = item.gt
        elif isinstance(item, annotated_types.Le):
            most = item.le
    return least, over, most  # type: ignore[return-value]
