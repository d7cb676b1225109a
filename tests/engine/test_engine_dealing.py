"""One plan dealt out to several processes: nothing is lost, nothing is sent twice, and the shares are fair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.endpoints.openai_chat import ChatEndpoint
from pytest_aiperf.engine import LoadPlan
from pytest_aiperf.engine.address import parse_target
from pytest_aiperf.engine.dealing import deal, in_whole_plan
from pytest_aiperf.engine.request_bytes import RequestBytes

URL = "http://127.0.0.1:1/v1"


def make_plan(n=10, **given):
    given = {"concurrency": 4} | given
    return LoadPlan(url=URL, bodies=[b"%d" % i for i in range(n)], **given)


def i4(*values):
    return np.array(values, dtype=np.int32)


def i8(*values):
    return np.array(values, dtype=np.int64)


def numbers(shares):
    return [share.numbers.tolist() for share in shares]


def sent_by(share):
    """The numbers in the whole plan of all requests of a share."""
    count = len(share.bodies) if share.count is None else share.count
    return in_whole_plan(share, np.arange(count, dtype=np.int32)).tolist()


@settings(deadline=None)
@given(
    n=st.integers(1, 40),
    workers=st.integers(1, 6),
    concurrency=st.integers(1, 12),
    prefill=st.none() | st.integers(1, 8),
    count=st.none() | st.integers(1, 100),
)
def test_every_request_is_dealt_to_exactly_one_process_and_every_slot_too(
    n, workers, concurrency, prefill, count
):
    plan = make_plan(n, concurrency=concurrency, prefill_concurrency=prefill, count=count)
    shares = deal(plan, workers)
    assert 1 <= len(shares) <= workers
    if len(shares) == 1:
        assert shares == [plan]
        return
    assert sorted(i for share in shares for i in sent_by(share)) == list(range(plan.planned))
    assert sum(share.concurrency for share in shares) == concurrency
    assert max(s.concurrency for s in shares) - min(s.concurrency for s in shares) <= 1
    if prefill is not None:
        assert sum(share.prefill_concurrency for share in shares) == prefill
    for share in shares:
        assert share.bodies == [b"%d" % i for i in share.numbers]
        assert share.planned > 0


def test_requests_that_stand_alone_are_dealt_in_turn():
    assert numbers(deal(make_plan(7), 2)) == [[0, 2, 4, 6], [1, 3, 5]]


def test_shares_are_as_long_as_their_processes_have_slots():
    shares = deal(make_plan(12, concurrency=3), 2)
    assert [share.concurrency for share in shares] == [2, 1]
    assert [len(share.bodies) for share in shares] == [8, 4]


@pytest.mark.parametrize(
    "given",
    [{"concurrency": 2}, {"prefill_concurrency": 2}, {"conversation": i4(0, 1, 0, 1, 1)}, {"count": 2}],
)
def test_no_process_is_left_without_work(given):
    shares = deal(make_plan(5, **given), 4)
    assert len(shares) == 2


def test_an_open_loop_is_dealt_with_its_due_times():
    plan = make_plan(4, concurrency=None, due_ns=i8(0, 10, 20, 35), cancel_after_ns=i8(-1, 7, -1, 8))
    first, second = deal(plan, 2)
    assert (first.due_ns.tolist(), second.due_ns.tolist()) == ([0, 20], [10, 35])
    assert (first.cancel_after_ns.tolist(), second.cancel_after_ns.tolist()) == ([-1, -1], [7, 8])
    assert first.concurrency is second.concurrency is None


def test_conversations_stay_together_and_are_dealt_in_the_order_in_which_they_appear():
    plan = make_plan(6, conversation=i4(40, 20, 40, -1, 20, 10))
    assert numbers(deal(plan, 2)) == [[0, 2, 3], [1, 4, 5]]


def test_links_between_turns_point_to_the_same_requests_in_the_share():
    plan = make_plan(
        6,
        conversation=i4(0, 1, 0, 1, 0, 1),
        after_offsets=i8(0, 0, 0, 1, 2, 4, 5),
        after=i4(0, 1, 0, 2, 3),
        delay_ns=i8(0, 0, 5, 6, 7, 8),
    )
    first, second = deal(plan, 2)
    assert (first.after_offsets.tolist(), first.after.tolist()) == ([0, 0, 1, 3], [0, 0, 1])
    assert (second.after_offsets.tolist(), second.after.tolist()) == ([0, 0, 1, 2], [0, 1])
    assert (first.delay_ns.tolist(), second.delay_ns.tolist()) == ([0, 5, 7], [0, 6, 8])


def test_branches_stay_with_the_conversation_that_they_follow():
    plan = make_plan(
        6,
        conversation=i4(0, 1, 2, 3, 4, 5),
        after_offsets=i8(0, 0, 0, 1, 2, 2, 4),
        after=i4(0, 1, 2, 0),  # 2 follows 0, 3 follows 1, 5 joins 2 and 0; 4 stands alone
    )
    assert numbers(deal(plan, 2)) == [[0, 2, 4, 5], [1, 3]]


@settings(deadline=None)
@given(st.data())
def test_what_a_request_follows_is_always_in_its_own_share(data):
    n = data.draw(st.integers(1, 25))
    follows = [
        data.draw(st.lists(st.integers(0, i - 1), max_size=2, unique=True)) if i else [] for i in range(n)
    ]
    plan = make_plan(
        n,
        concurrency=8,
        conversation=i4(*data.draw(st.lists(st.integers(-1, 6), min_size=n, max_size=n))),
        after_offsets=np.cumsum([0, *map(len, follows)]),
        after=i4(*[i for row in follows for i in row]),
        count=data.draw(st.none() | st.integers(1, n)),
    )
    shares = deal(plan, 3)
    if len(shares) == 1:
        return
    for share in shares:
        offsets, whole = share.after_offsets, share.numbers
        for row, number in enumerate(whole):
            theirs = [whole[i] for i in share.after[offsets[row] : offsets[row + 1]]]
            assert theirs == follows[number]
    home = {int(c): {id(s) for s in shares if c in s.conversation} for s in shares for c in s.conversation}
    assert all(len(ids) == 1 for c, ids in home.items() if c >= 0)


def test_bodies_that_are_used_again_count_on():
    shares = deal(make_plan(3, concurrency=2, count=8), 2)
    assert [sent_by(share) for share in shares] == [[0, 2, 3, 5, 6], [1, 4, 7]]


def test_a_duration_leaves_the_count_open_in_every_share():
    for share in deal(make_plan(5, duration_s=3.0), 2):
        assert (share.count, share.planned, share.duration_s) == (None, None, 3.0)


def test_what_is_not_dealt_is_the_same_in_every_share():
    plan = make_plan(4, headers={"x-team": "a"}, further_urls=(URL + "/2",), concurrency_ramp_s=2.0)
    for share in deal(plan, 2):
        same = replace(
            share,
            url=plan.url,
            further_urls=plan.further_urls,
            bodies=plan.bodies,
            concurrency=4,
            numbers=None,
            whole=None,
        )
        assert same.to_buffers() == plan.to_buffers()


@pytest.mark.parametrize("count", [None, 31])
@pytest.mark.parametrize("workers", [2, 3, 4])
def test_a_request_has_the_id_and_the_url_that_it_has_in_the_whole_plan(workers, count):
    plan = make_plan(12, concurrency=5, count=count, further_urls=["http://127.0.0.1:2/v2", URL + "/3"])
    targets = [parse_target(url) for url in plan.urls]
    requests = RequestBytes(plan, targets, ChatEndpoint())
    for share in deal(plan, workers):
        theirs = RequestBytes(share, targets, ChatEndpoint())
        assert [theirs[i] for i in range(share.planned)] == [requests[i] for i in sent_by(share)]


def test_bodies_are_shared_and_not_copied():
    plan = make_plan(6)
    for share in deal(plan, 2):
        assert all(body is plan.bodies[i] for body, i in zip(share.bodies, share.numbers, strict=True))


def test_a_share_survives_being_carried_over():
    share = deal(make_plan(9), 2)[1]
    again = LoadPlan.from_buffers(*share.to_buffers())
    assert (again.numbers.tolist(), again.whole) == ([1, 3, 5, 7], 9)
