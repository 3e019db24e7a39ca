"""Sums that are kept of usage, by account, charge version and cell of time, and what a period comes to by them.

A *slice* sums the rated items of a run of journal entries that are whole in the store. Its rows are inserted first, the row
that says that it is whole last, as with blocks and headers (ADR 0003): there is no view that an insert feeds, hence nothing
that a repeated insert could count twice. What no slice covers yet is read from the facts, so that a sum is exact at any
moment, and deleting the slices loses nothing. Slices are put together as they grow: there are about as many as the logarithm
of what was stored. A *cell* is the first or the last day of a month (UTC), or all days between: a month begins and ends
within those two days in every zone, so that only they are read from the facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from sinks.clickhouse.client import Connection, UnableToQuery, UnableToStore
from sinks.clickhouse.table import BALANCE, DATABASE
from sinks.clickhouse.tables.block import FACT_BLOCK
from sinks.clickhouse.tables.kept import KEPT_SLICE, KEPT_USAGE
from sinks.clickhouse.tables.usage import FACT_USAGE

KEEP_ROWS = 2_000_000
"""Rated items that no slice covers, from which on they are made one."""
ACCOUNTS_AT_A_TIME = 50_000
"""Sums are made of so many accounts at a time: what is added up fits the caches of a processor."""
GROWTH = 2
"""A slice that has at most so many times the rows of what is being added is put together with it."""
ATTEMPTS = 3
_FIRST_DAY, _LAST_DAY = date(1970, 1, 3), date(2149, 1, 1)
"""Cells of all usage before and after these: its periods are read from the facts."""
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
"""What an instant of the store can be."""
_CLAMPED = (
    "toDate(least(greatest(event_at, toDateTime64('1970-01-02 00:00:00', 6, 'UTC')), "
    "toDateTime64('2149-01-01 00:00:00', 6, 'UTC')))"
)
_SINGLE = "toDayOfMonth(d) = 1 OR d = toLastDayOfMonth(d)"
_STANDING = f"1 - 2 * ((claim, block) IN (SELECT claim, block FROM {DATABASE}.fact_reversal))"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice that counts: entries [since, until), and how many rated items they have."""

    number: int
    since: int
    until: int
    rows: int


@dataclass(frozen=True, slots=True)
class Period:
    """Instants [start, end), UTC.

    Attributes:
        kept: days [first, last) such that cells within them are wholly in the period; None when there can be none.
        cut: instants [from, to) of the period whose cells are not.
    """

    start: datetime
    end: datetime
    kept: tuple[date, date] | None
    cut: tuple[tuple[datetime, datetime], ...]

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Period:
        """Return the period, with what cells can say of it.

        Raises:
            UnableToQuery: when it ends before it starts, or its instants have no zone.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise UnableToQuery("a period is between two instants with a zone")
        start, end = max(start.astimezone(UTC), _EARLIEST), min(end.astimezone(UTC), _LATEST)
        if end <= start:
            raise UnableToQuery(f"the period ends at {end.isoformat()}, not after it starts at {start.isoformat()}")
        if start.date() < _FIRST_DAY or end.date() >= _LAST_DAY:
            return cls(start, end, None, ((start, end),))
        (first, first_end), (last, _) = _cell_of(start), _cell_of(end)
        if first == last:
            return cls(start, end, None, ((start, end),))
        cut = []
        if start != first:
            cut.append((start, first_end))
        if end != last:
            cut.append((last, end))
        return cls(start, end, (_ceiling(start), end.date()), tuple(cut))


def _ceiling(at: datetime) -> date:
    return at.date() if at == _midnight(at.date()) else at.date() + _DAY


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _cell_of(at: datetime) -> tuple[datetime, datetime]:
    """Return the cell that an instant is in: as `_cells` says it in SQL."""
    day = at.date()
    last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - _DAY
    if day.day == 1 or day == last:
        return _midnight(day), _midnight(day + _DAY)
    return _midnight(day.replace(day=2)), _midnight(last)


def _cells(where: str) -> str:
    return (
        f"SELECT tenant, account, charge_version, {_CLAMPED} AS d, if({_SINGLE}, d, toStartOfMonth(d) + 1) AS cell_at, "
        f"if({_SINGLE}, d + 1, toLastDayOfMonth(d)) AS cell_end, toUInt64(1) AS rows, toInt64({_STANDING}) AS items, "
        f"toDecimal128(quantity, 0) AS quantity, toDecimal128(amount, 9) AS amount FROM {FACT_USAGE.qualified} WHERE {where}"
    )


def live_slices(connection: Connection) -> list[Slice]:
    """Return the slices that count, in the order of the log: one after the other, without a gap.

    Raises:
        UnableToQuery: when they cannot be read.
    """
    found = connection.rows(
        f"SELECT slice, since, until, rows FROM {KEPT_SLICE.qualified} ORDER BY since, until DESC, slice DESC"
    )
    live: list[Slice] = []
    for row in found:
        if not live or row["until"] > live[-1].until:
            live.append(Slice(row["slice"], row["since"], row["until"], row["rows"]))
    return live


def keep_usage(connection: Connection, before: int, *, rows_min: int = KEEP_ROWS) -> bool:
    """Make a slice of what no slice covers of the entries before one, when there is enough; return whether one was made.

    Args:
        connection: one that may write, and that nothing else uses meanwhile.
        before: an entry; the store holds all blocks of all entries before it, and none will come any more.

    Raises:
        UnableToQuery, UnableToStore: when the database refuses, or the sums are not those of the headers; what was kept before
            still is.
    """
    live = live_slices(connection)
    since = live[-1].until if live else 0
    if before <= since:
        return False
    fresh = _headed(connection, since, before)
    if fresh[0] < rows_min:
        return False
    _tidy(connection, live)
    rows, start, joined = fresh[0], since, list[Slice]()
    while live and live[-1].rows <= GROWTH * rows:
        joined.insert(0, live.pop())
        rows, start = rows + joined[0].rows, joined[0].since
    (latest,) = connection.rows(f"SELECT max(slice) AS slice FROM {KEPT_SLICE.qualified}")
    number = int(latest["slice"]) + 1
    for first, last in _runs(connection):
        connection.execute(_sum_up(number, since, before, joined, first, last))
    (found,) = connection.rows(
        f"SELECT count() AS cells, sum(rows) AS rows, sum(quantity) AS quantity, sum(amount) AS amount "
        f"FROM {KEPT_USAGE.qualified} WHERE slice = {number}"
    )
    expected = _headed(connection, start, before)
    if (int(found["rows"]), int(found["quantity"]), found["amount"]) != expected:
        connection.execute(f"ALTER TABLE {KEPT_USAGE.qualified} DROP PARTITION {number}")
        raise UnableToStore(
            f"the sums of entries {start} to {before - 1} are {found['rows']} rows, {found['quantity']} steps, "
            f"{found['amount']}; their headers say {expected}",
            transient=False,
        )
    connection.execute(
        f"INSERT INTO {KEPT_SLICE.qualified} (slice, since, until, cells, rows) "
        f"VALUES ({number}, {start}, {before}, {found['cells']}, {rows})"
    )
    return True


def _headed(connection: Connection, since: int, before: int) -> tuple[int, int, object]:
    (found,) = connection.rows(
        f"SELECT sum(usage_rows) AS rows, sum(quantity) AS quantity, sum(arraySum(mapValues(amounts))) AS amount "
        f"FROM {FACT_BLOCK.qualified} WHERE claim >= {since} AND claim < {before}"
    )
    return int(found["rows"]), int(found["quantity"]), found["amount"]


def _tidy(connection: Connection, live: Sequence[Slice]) -> None:
    """Drop what is part of no slice that counts: slices that were put together before, and what a crash left of one."""
    held = connection.rows(f"SELECT DISTINCT slice FROM {KEPT_USAGE.qualified}")
    for number in sorted({int(row["slice"]) for row in held} - {each.number for each in live}):
        connection.execute(f"ALTER TABLE {KEPT_USAGE.qualified} DROP PARTITION {number}")


def _runs(connection: Connection) -> Iterator[tuple[int, int]]:
    """Yield ranges [first, last) of account ids that cover all accounts with usage."""
    (found,) = connection.rows(f"SELECT max(account) AS account FROM {FACT_USAGE.qualified}")
    for first in range(0, int(found["account"]) + 1, ACCOUNTS_AT_A_TIME):
        yield first, first + ACCOUNTS_AT_A_TIME


def _sum_up(number: int, since: int, before: int, joined: Sequence[Slice], first: int, last: int) -> str:
    accounts = f"account >= {first} AND account < {last}"
    parts = [_cells(f"claim >= {since} AND claim < {before} AND {accounts}")]
    if joined:
        of = ", ".join(str(each.number) for each in joined)
        parts.append(
            f"SELECT tenant, account, charge_version, cell_at, cell_at, cell_end, rows, items, quantity, amount "
            f"FROM {KEPT_USAGE.qualified} WHERE slice IN ({of}) AND {accounts}"
        )
    return (
        f"INSERT INTO {KEPT_USAGE.qualified} ({', '.join(KEPT_USAGE.names)}) "
        f"SELECT {number}, tenant, account, charge_version, cell_at, any(cell_end), sum(rows), sum(items), "
        f"toDecimal128(sum(quantity), 0), toDecimal128(sum(amount), 9) FROM ({' UNION ALL '.join(parts)}) "
        "GROUP BY tenant, account, charge_version, cell_at"
    )


def sums_of(connection: Connection, start: datetime, end: datetime, *, tenant: str = "") -> Iterator[pa.Table]:
    """Yield what a period comes to by account and charge version, some accounts at a time, in the order of their ids.

    Columns are tenant, account, charge_version (ids), items (those that stand), quantity and amount (decimals, the quantity in
    base steps).
    Rows of an account that come to nothing at all, because all was taken back, are there with zeros.

    Args:
        connection: one that reads, with no bound on rows.
        tenant: of this one only; all by default.

    Raises:
        UnableToQuery: when it is no period, the tables cannot be read, or slices were put together while they were read, again
            and again.
    """
    period = Period.of(start, end)
    for first, last in _runs(connection):
        for _ in range(ATTEMPTS):
            live = live_slices(connection)
            found = connection.select(_sums(period, live, first, last, tenant), {"tenant": tenant} if tenant else None)
            if live_slices(connection) == live:  # else a slice may have been dropped before it was read
                break
        else:
            raise UnableToQuery("sums were put together while they were read; try again")
        yield found


def _sums(period: Period, live: Sequence[Slice], first: int, last: int, tenant: str) -> str:
    until = live[-1].until if live else 0
    accounts = f"account >= {first} AND account < {last}"
    if tenant:
        accounts += f" AND tenant IN (SELECT id FROM {DATABASE}.dim_tenant WHERE code = {{tenant:String}})"
    inside = _within(period.start, period.end)
    parts = [_plain(f"claim >= {until} AND {inside} AND {accounts}")]
    if live:
        if period.cut:
            cut = " OR ".join(_within(*each) for each in period.cut)
            parts.append(_plain(f"claim < {until} AND ({cut}) AND {accounts}"))
        if period.kept is not None:
            of = ", ".join(str(each.number) for each in live)
            parts.append(
                f"SELECT tenant, account, charge_version, items, quantity, amount FROM {KEPT_USAGE.qualified} "
                f"WHERE slice IN ({of}) AND cell_at >= '{period.kept[0]}' AND cell_end <= '{period.kept[1]}' AND {accounts}"
            )
    return (
        "SELECT tenant, account, charge_version, sum(items) AS items, toDecimal128(sum(quantity), 0) AS quantity, "
        f"CAST(sum(amount), '{BALANCE}') AS amount FROM ({' UNION ALL '.join(parts)}) "
        "GROUP BY tenant, account, charge_version ORDER BY tenant, account, charge_version"
    )


def _within(start: datetime, end: datetime) -> str:
    return f"(event_at >= {_instant(start)} AND event_at < {_instant(end)})"


def _instant(at: datetime) -> str:
    return f"toDateTime64('{at:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"


def _plain(where: str) -> str:
    return (
        f"SELECT tenant, account, charge_version, toInt64({_STANDING}) AS items, toDecimal128(quantity, 0) AS quantity, "
        f"toDecimal128(amount, 9) AS amount FROM {FACT_USAGE.qualified} WHERE {where}"
    )


def kept_differences(connection: Connection) -> Iterator[tuple[Slice, str, int, int]]:
    """Yield where slices are not what the facts, counted again, come to: (slice, what, by the facts, kept).

    Quantities and amounts are weighed by a hash of whose and which they are, so that a shift between two accounts is seen.

    Raises:
        UnableToQuery: when the tables cannot be read.
    """
    until = 0
    for each in live_slices(connection):
        if each.since != until:
            yield each, "entries between sums that are kept", until, each.since
        until = each.until
        of_facts = _weighed(_cells(f"claim >= {each.since} AND claim < {each.until}"))
        kept = _weighed(f"SELECT * FROM {KEPT_USAGE.qualified} WHERE slice = {each.number}")
        (expected,), (found,) = connection.rows(of_facts), connection.rows(kept)
        for what in expected:
            if expected[what] != found[what]:
                yield each, f"{what} that are kept", int(expected[what] or 0), int(found[what] or 0)


def _weighed(cells: str) -> str:
    weight = "cityHash64(tenant, account, charge_version, cell_at, cell_end)"
    return (
        "SELECT sum(rows) AS rows, sum(items) AS items, "
        f"sumWithOverflow({weight} * toUInt64(toInt128(quantity))) AS quantities, "
        f"sumWithOverflow({weight} * toUInt64(reinterpretAsInt128(amount))) AS amounts FROM ({cells})"
    )
