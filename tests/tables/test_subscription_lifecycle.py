"""The life of a subscription as tables: what may be done to it, when usage is its own, when its term ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.subscriptions.models import Action, EndOfTerm, SubscriptionStatus, Suspended, Term
from billing.subscriptions.rules_lifecycle import (
    NEXT,
    Life,
    UnableToKeepSubscription,
    check_points,
    months_after,
    next_status,
    notice_due,
    own_periods,
    term_due,
    terminated,
    transformed,
)

S, A = SubscriptionStatus, Action
DAY = 86_400_000_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize("status", SubscriptionStatus)
@pytest.mark.parametrize("action", Action)
def test_what_may_be_done(status: SubscriptionStatus, action: Action) -> None:
    allowed = {
        "CREATED": "ACTIVATE CANCEL",
        "ACTIVE": "SUSPEND TERMINATE",
        "SUSPENDED": "RESUME TERMINATE",
        "CANCELED": "CLOSE",
        "TERMINATED": "CLOSE",
        "CLOSED": "",
    }[status.value].split()
    if action.value in allowed:
        assert next_status(status, action) is NEXT[status, action]
    else:
        with pytest.raises(UnableToKeepSubscription, match=f"what is {status.value} cannot be told to"):
            next_status(status, action)


ACTIVE = Life(S.ACTIVE, start_at=100)


@pytest.mark.parametrize(
    ("deeds", "point", "own"),
    [
        ([], (None, None), [(100, None)]),
        ([], (50, 150), [(100, 150)]),
        ([], (120, None), [(120, None)]),
        ([], (10, 100), []),
        ([(A.SUSPEND, 200)], (None, None), [(100, 200)]),
        ([(A.SUSPEND, 100)], (None, None), []),
        ([(A.SUSPEND, 200), (A.RESUME, 300)], (None, None), [(100, 200), (300, None)]),
        ([(A.SUSPEND, 200), (A.RESUME, 300)], (250, 260), []),
        ([(A.SUSPEND, 200), (A.RESUME, 300), (A.SUSPEND, 300)], (None, None), [(100, 200)]),
        ([(A.SUSPEND, 200), (A.RESUME, 300), (A.TERMINATE, 400)], (None, None), [(100, 200), (300, 400)]),
        ([(A.SUSPEND, 200), (A.TERMINATE, 250)], (None, None), [(100, 200)]),
        ([(A.TERMINATE, 400)], (None, 350), [(100, 350)]),
        ([(A.TERMINATE, 100)], (None, None), []),
    ],
)
def test_when_usage_is_its_own(
    deeds: list[tuple[Action, int]], point: tuple[int | None, int | None], own: list[tuple[int | None, int | None]]
) -> None:
    life = ACTIVE
    for action, when in deeds:
        life = transformed(life, action, when, None)
    assert own_periods(life, point) == own


@pytest.mark.parametrize(
    ("deeds", "wrong"),
    [
        ([(A.SUSPEND, 99)], "not in force yet"),
        ([(A.TERMINATE, 99)], "not in force yet"),
        ([(A.SUSPEND, 200), (A.RESUME, 200)], "not suspended yet"),
        ([(A.SUSPEND, 200), (A.RESUME, 300), (A.SUSPEND, 299)], "suspended then already"),
        ([(A.RESUME, 200)], "cannot be told to resume"),
        ([(A.TERMINATE, 200), (A.TERMINATE, 200)], "cannot be told to terminate"),
        ([(A.CANCEL, 200)], "cannot be told to cancel"),
    ],
)
def test_what_cannot_be_done_then(deeds: list[tuple[Action, int]], wrong: str) -> None:
    life = ACTIVE
    for action, when in deeds[:-1]:
        life = transformed(life, action, when, None)
    with pytest.raises(UnableToKeepSubscription, match=wrong):
        transformed(life, *deeds[-1], None)


@given(
    st.lists(st.tuples(st.sampled_from(Action), st.integers(90, 130)), max_size=8),
    st.tuples(st.none() | st.integers(85, 130), st.none() | st.integers(85, 130)),
)
def test_own_periods_are_the_instants_that_are_its_own(
    deeds: list[tuple[Action, int]], point: tuple[int | None, int | None]
) -> None:
    """The slow twin asks instant by instant; periods are in order, do not touch and are not empty."""
    life = ACTIVE
    for action, when in deeds:
        try:
            life = transformed(life, action, when, None)
        except UnableToKeepSubscription:
            continue
    periods = own_periods(life, point)
    for instant in range(80, 140):
        own = (
            life.start_at is not None
            and instant >= life.start_at
            and (life.terminated_at is None or instant < life.terminated_at)
            and not any(one.start_at <= instant < (one.end_at or 10**9) for one in life.suspended)
            and (point[0] is None or instant >= point[0])
            and (point[1] is None or instant < point[1])
        )
        found = any((start or 0) <= instant < (10**9 if end is None else end) for start, end in periods)
        assert found is own, (instant, life, point)
    assert all(end is None or (start or 0) < end for start, end in periods)
    assert all(one[1] is not None and one[1] <= (other[0] or 0) for one, other in pairwise(periods))


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31T00:00:00", 1, "2026-02-28T00:00:00"),
        ("2024-01-31T10:30:00", 1, "2024-02-29T10:30:00"),
        ("2026-01-31T00:00:00", 2, "2026-03-31T00:00:00"),
        ("2026-11-15T00:00:00", 14, "2028-01-15T00:00:00"),
    ],
)
def test_months(start: str, months: int, end: str) -> None:
    assert months_after(at(start), months) == at(end)


def test_no_calendar_goes_beyond_its_last_year() -> None:
    with pytest.raises(UnableToKeepSubscription, match="after the year 9998"):
        months_after(at("9990-01-01T00:00:00"), 120)


@pytest.mark.parametrize(
    ("term", "now", "ends", "agreement", "status"),
    [
        ({"months": 1}, "2026-02-27T23:59:59", None, None, None),
        ({"months": 1}, "2026-02-28T00:00:00", "2026-02-28T00:00:00", "2026-02-28T00:00:00", S.TERMINATED),
        ({"months": 1, "then": "SUSPEND"}, "2026-05-01T00:00:00", None, "2026-02-28T00:00:00", S.SUSPENDED),
        ({"months": 1, "renews": True}, "2026-02-28T00:00:00", "2026-03-31T00:00:00", "2026-02-28T00:00:00", S.ACTIVE),
        ({"months": 1, "renews": True}, "2026-05-15T00:00:00", "2026-05-31T00:00:00", "2026-02-28T00:00:00", S.ACTIVE),
        (
            {"months": 12, "renews": True, "renew_months": 1, "extends_agreement": True},
            "2027-02-10T00:00:00",
            "2027-02-28T00:00:00",
            "2027-02-28T00:00:00",
            S.ACTIVE,
        ),
    ],
)
def test_terms(
    term: dict[str, object], now: str, ends: str | None, agreement: str | None, status: SubscriptionStatus | None
) -> None:
    """All began on 31 January 2026."""
    kept = Term.model_validate(term)
    life = transformed(Life(S.CREATED), A.ACTIVATE, at("2026-01-31T00:00:00"), kept)
    due = term_due(life, kept, at(now))
    if status is None:
        assert due is None
        return
    assert due is not None
    after, action = due
    assert after.status is status
    assert action is {S.TERMINATED: A.TERMINATE, S.SUSPENDED: A.SUSPEND}.get(status)
    assert after.term_end_at == (None if ends is None else at(ends))
    assert after.agreement_end_at == at(agreement or "")
    if status is S.TERMINATED:
        assert after.terminated_at == at("2026-02-28T00:00:00")  # not when it is noticed
    assert term_due(after, kept, at(now)) is None


def test_charges_go_on_until_the_agreement_ends_where_that_applies() -> None:
    life = transformed(Life(S.CREATED), A.ACTIVATE, 0, Term(months=12))
    assert life.agreement_end_at == 365 * DAY
    held = terminated(life, 30 * DAY, apply_agreement=True)
    assert (held.terminated_at, held.charged_until_at) == (30 * DAY, 365 * DAY)
    late = terminated(life, 400 * DAY, apply_agreement=True)
    assert late.charged_until_at == 400 * DAY
    free = terminated(life, 30 * DAY, apply_agreement=False)
    assert free.charged_until_at == 30 * DAY


def test_somebody_is_told_once_that_a_term_ends() -> None:
    term = Term(months=1, notify_days=10, renews=True, then=EndOfTerm.SUSPEND)
    life = transformed(Life(S.CREATED), A.ACTIVATE, 0, term)
    end = 31 * DAY
    assert not notice_due(life, term, end - 10 * DAY - 1, None)
    assert notice_due(life, term, end - 10 * DAY, None)
    assert not notice_due(life, term, end - 9 * DAY, end)
    assert not notice_due(replace(life, status=S.SUSPENDED), term, end, None)
    assert not notice_due(life, Term(months=1), end, None)


@pytest.mark.parametrize(
    ("points", "wrong"),
    [
        ([("a", (None, None)), ("b", (None, None))], None),
        ([("a", (None, 10)), ("a", (10, None))], None),
        ([("a", (None, None)), ("a", (5, 6))], "named twice"),
        ([("a", (5, None)), ("a", (None, 6))], "named twice"),
        ([("a", (5, 5))], "ends before it begins"),
    ],
)
def test_access_points_of_one_subscription(
    points: list[tuple[str, tuple[int | None, int | None]]], wrong: str | None
) -> None:
    if wrong is None:
        check_points(points)
    else:
        with pytest.raises(UnableToKeepSubscription, match=wrong):
            check_points(points)


def test_suspensions_after_an_end_are_forgotten() -> None:
    life = replace(ACTIVE, suspended=(Suspended(200, 300),))
    assert terminated(life, 150, apply_agreement=False).suspended == ()
    assert terminated(life, 250, apply_agreement=False).suspended == (Suspended(200, 250),)


def test_resumed_behind_the_end_of_its_term_it_has_none() -> None:
    term = Term(months=1, then=EndOfTerm.SUSPEND)
    life = replace(ACTIVE, term_end_at=300, suspended=(Suspended(200, 400),))
    assert term_due(life, term, 500) == (replace(life, term_end_at=None), Action.RESUME)
