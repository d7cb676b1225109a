"""Options that say which request follows what: recorded schedules, users, conversations, cancellation."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import parse_duration_s


class ScheduleOptions(BaseModel):
    """Schedules, users, conversations, cancellation."""

    fixed_schedule: Annotated[
        str | None,
        Field(
            min_length=1,
            description='JSONL file with one request a line, {"timestamp": ms}, sent at these times; '
            "input_length and output_length of a line stand for isl and osl.",
        ),
        CLIParameter(
            name=("--fixed-schedule",), group=Groups.FIXED_SCHEDULE, marker=True, metavar="FILE", path=True
        ),
    ] = None
    fixed_schedule_start_offset: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**53,
            description="Timestamp in ms at which the run begins; earlier requests are left out.",
        ),
        CLIParameter(
            name=("--fixed-schedule-start-offset",), group=Groups.FIXED_SCHEDULE, marker=True, metavar="MS"
        ),
    ] = None
    fixed_schedule_end_offset: Annotated[
        int | None,
        Field(ge=0, le=2**53, description="Timestamp in ms after which requests are left out."),
        CLIParameter(
            name=("--fixed-schedule-end-offset",), group=Groups.FIXED_SCHEDULE, marker=True, metavar="MS"
        ),
    ] = None
    fixed_schedule_auto_offset: Annotated[
        bool,
        Field(description="The run begins with the first timestamp; otherwise at 0."),
        CLIParameter(name=("--fixed-schedule-auto-offset",), group=Groups.FIXED_SCHEDULE, marker=True),
    ] = False
    fixed_schedule_speedup: Annotated[
        FiniteFloat | None,
        Field(gt=0, le=1_000_000, description="The schedule is replayed so many times as fast. Default: 1."),
        CLIParameter(
            name=("--fixed-schedule-speedup",), group=Groups.FIXED_SCHEDULE, marker=True, metavar="FACTOR"
        ),
    ] = None
    user_centric_rate: Annotated[
        FiniteFloat | None,
        Field(
            gt=0,
            le=1_000_000,
            description="Requests per second of all users together; each of them sends one every num_users / "
            "rate seconds, and waits for the answer to the turn before.",
        ),
        CLIParameter(
            name=("--user-centric-rate",), group=Groups.USER_CENTRIC, marker=True, metavar="PER_SECOND"
        ),
    ] = None
    num_users: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="Users of the user-centric load."),
        CLIParameter(name=("--num-users",), group=Groups.USER_CENTRIC, marker=True, metavar="N"),
    ] = None
    session_turns_mean: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Requests of a conversation: each carries the turns before it and is sent after "
            "their answers.",
        ),
        CLIParameter(
            name=("--session-turns-mean", "--conversation-turn-mean"),
            group=Groups.CONVERSATION_INPUT,
            marker=True,
            metavar="TURNS",
        ),
    ] = 1
    session_turn_delay_mean: Annotated[
        FiniteFloat,
        Field(
            ge=0,
            le=86_400_000,
            description="Pause between an answer and the next turn of its conversation, in ms.",
        ),
        CLIParameter(
            name=("--session-turn-delay-mean", "--conversation-turn-delay-mean"),
            group=Groups.CONVERSATION_INPUT,
            marker=True,
            metavar="MS",
        ),
    ] = 0.0
    request_cancellation_rate: Annotated[
        FiniteFloat | None,
        Field(
            ge=0,
            le=100,
            description="Share of the measured requests, in percent, that are cancelled; their outcome is "
            "their own, not an error.",
        ),
        CLIParameter(
            name=("--request-cancellation-rate",),
            group=Groups.REQUEST_CANCELLATION,
            marker=True,
            metavar="PERCENT",
        ),
    ] = None
    request_cancellation_delay: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(
            ge=0,
            le=86_400,
            description="How long after it was sent a request is cancelled, in seconds (or 500ms). Default: "
            "0.",
        ),
        CLIParameter(
            name=("--request-cancellation-delay",),
            group=Groups.REQUEST_CANCELLATION,
            marker=True,
            metavar="TIME",
        ),
    ] = None
