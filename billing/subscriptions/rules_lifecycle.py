"""What may be done to a subscription, and when it is whose: pure, with `now` as an argument. Instants are microseconds UTC."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from billing.subscriptions.models import Action, EndOfTerm, SubscriptionStatus, Suspended, Term

S, A = SubscriptionStatus, Action
NEXT: Mapping[tuple[SubscriptionStatus, Action], SubscriptionStatus] = {
    (S.CREATED, A.ACTIVATE): S.ACTIVE,
    (S.CREATED, A.CANCEL): S.CANCELED,
    (S.ACTIVE, A.SUSPEND): S.SUSPENDED,
    (S.ACTIVE, A.TERMINATE): S.TERMINATED,
    (S.SUSPENDED, A.RESUME): S.ACTIVE,
    (S.SUSPENDED, A.TERMINATE): S.TERMINATED,
    (S.CANCELED, A.CLOSE): S.CLOSED,
    (S.TERMINATED, A.CLOSE): S.CLOSED,
}
"""What becomes of a subscription; anything else is refused."""
YEAR_MAX = 9998
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnableToKeepSubscription(Exception):
    """A subscription cannot be as it is asked to be; `column` names the field."""

    def __init__(self, column: str, message: str) -> None:
        """Say which field is wrong, and why."""
        super().__init__(f"{column}: {message}" if column else message)
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Life:
    """Where a subscription is in its life.

    Attributes:
        start_at: from when it is in force. None before it is activated.
        terminated_at: from when usage is not its own any more; it may lie ahead. None: open.
        charged_until_at: until when its recurring charges are due; not before `terminated_at`.
        term_end_at, agreement_end_at: when its term, and what the customer committed to, end.
        suspended: in order of time, without overlaps.
    """

    status: SubscriptionStatus
    start_at: int | None = None
    terminated_at: int | None = None
    charged_until_at: int | None = None
    term_end_at: int | None = None
    agreement_end_at: int | None = None
    suspended: tuple[Suspended, ...] = ()


def next_status(status: SubscriptionStatus, action: Action) -> SubscriptionStatus:
    """Return what becomes of a subscription.

    Raises:
        UnableToKeepSubscription: when that cannot be done to it.
    """
    found = NEXT.get((status, action))
    if found is None:
        raise UnableToKeepSubscription("status", f"what is {status.value} cannot be told to {action.value.lower()}")
    return found


def activated(life: Life, at: int, term: Term | None) -> Life:
    """Return a life that begins at an instant.

    Raises:
        UnableToKeepSubscription: when it has begun already.
    """
    status = next_status(life.status, Action.ACTIVATE)
    end = None if term is None else months_after(at, term.months)
    return replace(life, status=status, start_at=at, term_end_at=end, agreement_end_at=end)


def suspended(life: Life, at: int) -> Life:
    """Return a life whose usage is nobody's from an instant on.

    Raises:
        UnableToKeepSubscription: when it is not active, or was at the instant not yet, not any more, or suspended.
    """
    status = next_status(life.status, Action.SUSPEND)
    _check_within(life, at)
    if life.suspended and at < (life.suspended[-1].end_at or at + 1):
        raise UnableToKeepSubscription("at", "it was suspended then already")
    return replace(life, status=status, suspended=(*life.suspended, Suspended(at, None)))


def resumed(life: Life, at: int) -> Life:
    """Return a life whose usage is its own again from an instant on.

    Raises:
        UnableToKeepSubscription: when it is not suspended, or was not yet at the instant.
    """
    status = next_status(life.status, Action.RESUME)
    last = life.suspended[-1]
    if at <= last.start_at:
        raise UnableToKeepSubscription("at", "it was not suspended yet")
    return replace(life, status=status, suspended=(*life.suspended[:-1], replace(last, end_at=at)))


def terminated(life: Life, at: int, *, apply_agreement: bool) -> Life:
    """Return a life that ends at an instant; what is charged for its term goes on until the agreement ends where that applies.

    Raises:
        UnableToKeepSubscription: when it is not in force, or had not begun.
    """
    status = next_status(life.status, Action.TERMINATE)
    _check_within(life, at)
    charged = at
    if apply_agreement and life.agreement_end_at is not None:
        charged = max(at, life.agreement_end_at)
    ended = tuple(replace(one, end_at=min(at, one.end_at or at)) for one in life.suspended if one.start_at < at)
    return replace(life, status=status, terminated_at=at, charged_until_at=charged, suspended=ended)


def canceled(life: Life) -> Life:
    """Return a life that never began.

    Raises:
        UnableToKeepSubscription: when it has.
    """
    return replace(life, status=next_status(life.status, Action.CANCEL))


def closed(life: Life) -> Life:
    """Return a life of which nothing changes any more.

    Raises:
        UnableToKeepSubscription: when it has not ended.
    """
    return replace(life, status=next_status(life.status, Action.CLOSE))


def transformed(life: Life, action: Action, at: int, term: Term | None) -> Life:
    """Return what becomes of a life by an action, of its end by one without a reason.

    Raises:
        UnableToKeepSubscription: when that cannot be done to it.
    """
    match action:
        case Action.ACTIVATE:
            return activated(life, at, term)
        case Action.SUSPEND:
            return suspended(life, at)
        case Action.RESUME:
            return resumed(life, at)
        case Action.CANCEL:
            return canceled(life)
        case Action.CLOSE:
            return closed(life)
        case Action.TERMINATE:
            return terminated(life, at, apply_agreement=False)


def _check_within(life: Life, at: int) -> None:
    if life.start_at is None or at < life.start_at:
        raise UnableToKeepSubscription("at", "it was not in force yet")


def term_due(life: Life, term: Term | None, now: int, began: int | None = None) -> tuple[Life, Action | None] | None:
    """Return what becomes of a life whose term has ended by `now`, and which action ended it; None when nothing does.

    A term that renews itself goes on, so often as needed. Another one ends at the end of the term, not when it is noticed.

    Args:
        began: when the term began, where that was with a predecessor of another offer; else with the life.

    Raises:
        UnableToKeepSubscription: when the life began behind its term, or no calendar goes to where it would be renewed.
    """
    if term is None or life.term_end_at is None or life.term_end_at > now or life.status is not S.ACTIVE:
        return None
    if not term.renews:
        if term.then is EndOfTerm.SUSPEND:
            # what ended is no term any more: resumed, it runs on without one
            if life.suspended and (life.suspended[-1].end_at or 0) > life.term_end_at:
                return replace(life, term_end_at=None), Action.RESUME
            return replace(suspended(life, life.term_end_at), term_end_at=None), Action.SUSPEND
        return terminated(life, life.term_end_at, apply_agreement=False), Action.TERMINATE
    assert life.start_at is not None
    first = life.start_at if began is None else began
    end = life.term_end_at
    while end <= now:
        # counted from the beginning, so that 31 January, 28 February, 31 March
        end = months_after(first, term.months + _renewals(first, term, end) * _renewal(term))
    agreement = end if term.extends_agreement else life.agreement_end_at
    return replace(life, term_end_at=end, agreement_end_at=agreement), None


def _renewal(term: Term) -> int:
    return term.renew_months or term.months


def _renewals(start_at: int, term: Term, end: int) -> int:
    """Return how many renewals end after a term's end: one more than those that end at it."""
    count = 1
    while months_after(start_at, term.months + count * _renewal(term)) <= end:
        count += 1
    return count


def notice_due(life: Life, term: Term | None, now: int, told_of: int | None) -> bool:
    """Return whether somebody is to be told now that a term ends, and was not told of that end."""
    if term is None or life.term_end_at is None or life.status is not S.ACTIVE or told_of == life.term_end_at:
        return False
    return term.notify_days > 0 and now >= life.term_end_at - term.notify_days * 86_400_000_000


def months_after(at: int, months: int) -> int:
    """Return the same day and time so many months later, the last day of a month that is too short, in UTC.

    Raises:
        UnableToKeepSubscription: when no calendar goes there.
    """
    found = _EPOCH + timedelta(microseconds=at)
    years, month = divmod(found.month - 1 + months, 12)
    year = found.year + years
    if year > YEAR_MAX:
        raise UnableToKeepSubscription("term", f"it would end after the year {YEAR_MAX}")
    day = min(found.day, calendar.monthrange(year, month + 1)[1])
    return (found.replace(year=year, month=month + 1, day=day) - _EPOCH) // timedelta(microseconds=1)


Period = tuple[int | None, int | None]
"""[start, end), None where it is open."""


def own_periods(life: Life, point: Period) -> list[Period]:
    """Return when usage of an access point is the subscription's: its own period, within its life, but for suspensions."""
    if life.start_at is None or life.status in (S.CREATED, S.CANCELED):
        return []
    start = life.start_at if point[0] is None else max(life.start_at, point[0])
    end = _earlier(life.terminated_at, point[1])
    found: list[Period] = []
    for pause in life.suspended:
        until = _earlier(pause.start_at, end)
        if until is not None and start < until:
            found.append((start, until))
        if pause.end_at is None:
            return found
        start = max(start, pause.end_at)
    if end is None or start < end:
        found.append((start, end))
    return found


def _earlier(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def check_points(points: Sequence[tuple[str, Period]]) -> None:
    """Check access points of one subscription, as (identifier, period).

    Raises:
        UnableToKeepSubscription: when a period is empty, or one identifier is in it twice at a time.
    """
    seen: dict[str, list[Period]] = {}
    for identifier, (start, end) in points:
        if start is not None and end is not None and start >= end:
            raise UnableToKeepSubscription("access_point", f"{identifier} ends before it begins")
        for other_start, other_end in seen.get(identifier, ()):
            before = end is not None and other_start is not None and end <= other_start
            behind = other_end is not None and start is not None and other_end <= start
            if not before and not behind:
                raise UnableToKeepSubscription("access_point", f"{identifier} is named twice at a time")
        seen.setdefault(identifier, []).append((start, end))
