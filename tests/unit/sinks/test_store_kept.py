"""Sums that are kept are those of the facts: at any moment, over any period, whatever was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import output_blocks
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.clickhouse import kept
from sinks.clickhouse.client import Connection
from sinks.clickhouse.kept import Period, live_slices
from sinks.clickhouse.store import Store, UnableToQuery, UnableToStore

START = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=output_blocks.START_US)
CLAIMS = 9
"""Entries with usage, from 2 on: of five days over the end of September 2026 each, a week apart."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with usage over the ends of three months, of which tests make and drop slices."""
    store = Store.open(tmp_path_factory.mktemp("kept") / "store")
    store.migrate()
    store.write_names(output_blocks.names())
    ledger = output_blocks.Ledger(seed=5)
    store.write_movements(ledger.credits(1), tenant="acme")
    for claim in range(2, 2 + CLAIMS):
        blocks = [_moved(ledger.block(claim, number, 80), claim) for number in range(2)]
        taken_back = [output_blocks.reversal(blocks[0], claim + CLAIMS)] if claim % 4 == 0 else []
        store.write([*blocks, *taken_back])
    yield store
    store.close()


def _moved(block: Any, claim: int) -> Any:
    """Spread the usage of a block, by claim over weeks, within it over days."""
    block.edrs.event_at[:] = block.edrs.event_at * 5 - output_blocks.START_US * 4 + claim * 7 * output_blocks.DAY_US
    return block


@pytest.fixture
def store(filled: Store) -> Store:
    """The store without slices."""
    for table in ("kept_usage", "kept_slice"):
        filled._writer.execute(f"TRUNCATE TABLE octroi.{table}")
    return filled


def _by_facts(store: Store, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Add the rows up in plain Python."""
    sums: dict[tuple[int, int, int], list[Any]] = {}
    rows = store.query(
        "SELECT tenant, account, charge_version, event_at, quantity, toDecimal128(amount, 9) AS amount, "
        "(claim, block) IN (SELECT claim, block FROM fact_reversal) AS taken_back FROM fact_usage"
    )
    for row in rows.to_pylist():
        if start <= row["event_at"] < end:
            found = sums.setdefault((row["tenant"], row["account"], row["charge_version"]), [0, 0, 0])
            found[0] += -1 if row["taken_back"] else 1
            found[1] += row["quantity"]
            found[2] += row["amount"]
    names = ("tenant", "account", "charge_version", "items", "quantity", "amount")
    return [dict(zip(names, (*key, *value), strict=True)) for key, value in sorted(sums.items())]


def _by_sums(store: Store, start: datetime, end: datetime) -> list[dict[str, Any]]:
    return [row for table in store.long.sums(start, end) for row in table.to_pylist()]


def _months() -> list[datetime]:
    return [datetime(2026, month, 1, tzinfo=UTC) for month in (9, 10, 11, 12)]


def _problems(store: Store) -> list[str]:
    return [found.what for found in store.balance_check() if "kept" in found.what]


def test_slices_cover_the_log_and_say_what_the_facts_say(store: Store) -> None:
    assert not store.long.keep_usage(4, rows_min=10_000)
    for before in range(3, 3 + 2 * CLAIMS):
        if not store.long.keep_usage(before, rows_min=1):
            continue  # an entry without usage
        assert not store.long.keep_usage(before, rows_min=1)
        live = live_slices(store._writer)
        assert live[0].since == 0
        assert live[-1].until == before
        assert all(one.until == other.since for one, other in pairwise(live))
        for start, end in pairwise(_months()):
            assert _by_sums(store, start, end) == _by_facts(store, start, end)
    assert len(live) < CLAIMS
    assert _problems(store) == []


def test_months_of_every_zone_are_exact(store: Store) -> None:
    store.long.keep_usage(6, rows_min=1)
    for hours in (-11, -1, 2, 13.75):
        start, end = (at - timedelta(hours=hours) for at in _months()[1:3])
        period = Period.of(start, end)
        assert period.kept is not None
        assert sum((to - since for since, to in period.cut), timedelta()) < timedelta(days=2)
        assert _by_sums(store, start, end) == _by_facts(store, start, end)


@settings(max_examples=20)
@given(st.integers(0, 110 * 86_400), st.integers(1, 70 * 86_400), st.sampled_from([0, 4, 7, 11]))
def test_any_period_is_exact(filled: Store, after: int, length: int, before: int) -> None:
    for table in ("kept_usage", "kept_slice"):
        filled._writer.execute(f"TRUNCATE TABLE octroi.{table}")
    filled.long.keep_usage(before, rows_min=1)
    start = START + timedelta(seconds=after)
    end = start + timedelta(seconds=length)
    assert _by_sums(filled, start, end) == _by_facts(filled, start, end)


@given(st.datetimes(datetime(1965, 1, 1), datetime(2155, 1, 1)), st.integers(1, 200 * 86_400 * 10**6))
def test_a_period_is_its_cells_and_what_they_leave(start: datetime, length: int) -> None:
    start = start.replace(tzinfo=UTC)
    end = start + timedelta(microseconds=length)
    period = Period.of(start, end)
    whole = [] if period.kept is None or period.kept[0] >= period.kept[1] else [period.kept]
    kept_ = [tuple(datetime(day.year, day.month, day.day, tzinfo=UTC) for day in each) for each in whole]
    at = start
    # of the days of `kept` only whole cells count: those that are cut begin or end it
    for since, to in sorted([*period.cut, *(_whole_cells(*each) for each in kept_)]):
        if since == to:
            continue
        assert since == at
        at = to
    assert at == end


def _whole_cells(first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """Return where the cells that lie within some days begin and end."""
    cells, at = [], first - timedelta(days=40)
    while at < last:
        cell = kept._cell_of(at)
        if cell[0] >= first and cell[1] <= last:
            cells.append(cell)
        at = cell[1]
    return (cells[0][0], cells[-1][1]) if cells else (first, first)


class _Failing:
    """A connection that fails at its `left`-th statement."""

    def __init__(self, inner: Connection, left: int) -> None:
        self._inner, self._left = inner, left

    def execute(self, sql: str) -> None:
        self._left -= 1
        if self._left == 0:
            raise UnableToStore("injected", transient=True)
        self._inner.execute(sql)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_what_is_interrupted_is_done_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ACCOUNTS_AT_A_TIME", 15)  # three inserts
    kept.keep_usage(store._writer, 4, rows_min=1)
    expected = [_by_facts(store, start, end) for start, end in pairwise(_months())]
    for left in (1, 2, 3, 4):
        failing: Any = _Failing(store._writer, left)
        with pytest.raises(UnableToStore, match="injected"):
            kept.keep_usage(failing, 8, rows_min=1)
        assert live_slices(store._writer)[-1].until == 4
        assert [_by_sums(store, start, end) for start, end in pairwise(_months())] == expected
        assert _problems(store) == []
    assert kept.keep_usage(store._writer, 8, rows_min=1)
    assert [_by_sums(store, start, end) for start, end in pairwise(_months())] == expected
    assert kept.keep_usage(store._writer, 9, rows_min=1)  # what a crash left is dropped
    held = store.query("SELECT DISTINCT slice FROM kept_usage ORDER BY slice").to_pylist()
    live = {each.number for each in live_slices(store._writer)}
    assert live <= {row["slice"] for row in held}
    assert [_by_sums(store, start, end) for start, end in pairwise(_months())] == expected


def test_the_balance_sees_sums_that_are_not_the_facts(store: Store) -> None:
    store.long.keep_usage(6, rows_min=1)
    store._writer.execute(
        "INSERT INTO octroi.kept_usage SELECT slice, tenant, account + 1, charge_version, cell_at, cell_end, 0, 0, 0, "
        "any(amount) FROM octroi.kept_usage WHERE amount > 0 GROUP BY ALL LIMIT 1"
    )
    assert _problems(store) == ["amounts that are kept"]


def test_a_store_whose_headers_disagree_keeps_no_sums(store: Store) -> None:
    broken: Any = _Counted(store._writer)
    with pytest.raises(UnableToStore, match="their headers say"):
        kept.keep_usage(broken, 5, rows_min=1)
    assert live_slices(store._writer) == []
    assert store.query("SELECT count() AS n FROM kept_usage").to_pylist() == [{"n": 0}]


class _Counted:
    """A connection whose headers count a row more."""

    def __init__(self, inner: Connection) -> None:
        self._inner = inner

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found = self._inner.rows(sql)
        return [{**row, "rows": row["rows"] + 1} for row in found] if "fact_block" in sql else found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_period_is_between_two_instants_with_a_zone(store: Store) -> None:
    with pytest.raises(UnableToQuery, match="with a zone"):
        list(store.long.sums(datetime(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC)))
    with pytest.raises(UnableToQuery, match="not after it starts"):
        list(store.long.sums(START, START))
    assert sum(table.num_rows for table in store.long.sums(*_months()[1:3], tenant="nobody")) == 0
    assert [*store.long.sums(*_months()[1:3], tenant="acme")] == [*store.long.sums(*_months()[1:3])]


def test_a_large_result_comes_in_batches(store: Store, tmp_path: Path) -> None:
    with store.long.scan("SELECT number FROM numbers(3000000)", tmp_path) as batches:
        sizes = [batch.num_rows for batch in batches]
    assert sum(sizes) == 3_000_000
    assert max(sizes) < 100_000
    with store.long.scan("SELECT number FROM numbers(10) WHERE number > 10", tmp_path) as batches:
        (empty,) = batches
    assert (empty.num_rows, empty.schema.names) == (0, ["number"])
    large = "SELECT toInt128(-5) AS a, toIPv6('::1') AS b, number AS c, if(number > 1, toUInt256(7), NULL) AS d FROM numbers({})"
    with store.long.scan(large.format(3), tmp_path) as batches:
        rows = [row for batch in batches for row in batch.to_pylist()]
    assert rows == store.query(large.format(3)).to_pylist()
    assert rows[2] == {"a": "-5", "b": "::1", "c": 2, "d": "7"}
    with store.long.scan(large.format(0), tmp_path) as batches:
        assert [str(batch.schema.field("a").type) for batch in batches] == ["string"]
    assert list(tmp_path.iterdir()) == []
    for wrong in ("DROP TABLE fact_usage", "SELECT nothing", "SELECT 1 INTO OUTFILE 'x'"):
        with pytest.raises(UnableToQuery), store.long.scan(wrong, tmp_path):
            pass
