"""Saying that rated items are on invoices: checked against the store at a cut, kept in the archive, journaled as one entry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from apps.embedded.cancel import write_commands
from apps.embedded.engine import Engine
from apps.embedded.files import sha256_of
from pipelines.spool.journal import Bill
from schemas.billed import BILLED_SCHEMA, INVOICE_MAX, ITEMS_MAX
from schemas.ids import RatedItemId

COLUMNS = ("item", "invoice")
PLACE = ["claim", "record", "branch", "item"]
CLAIMS_ASKED_MAX = 10_000
INVOICES_ASKED_MAX = 1_000
_ISSUED = "SELECT invoice FROM fact_invoice WHERE invoice IN {invoices:Array(String)} ORDER BY invoice LIMIT 1"
_STORED = "SELECT claim, record, branch, item FROM fact_usage WHERE claim IN ({claims})"
_TAKEN = """
SELECT reversed_claim AS claim, reversed_record AS record, reversed_branch AS branch, reversed_item AS item
FROM fact_reversal
WHERE reversed_claim IN ({claims})
UNION ALL
SELECT claim, record, toUInt8(0) AS branch, reversed_item AS item
FROM fact_reversal WHERE claim IN ({claims})
  AND (reversed_claim, reversed_record, reversed_branch, reversed_item) NOT IN (
    SELECT claim, record, branch, item FROM fact_billed
  )
"""
"""Items that were taken back, and those that took one back which no invoice holds: together they are nothing.

What takes items back has their numbers, and may share one record."""
_BILLED = "SELECT claim, record, branch, item, invoice AS held FROM fact_billed WHERE claim IN ({claims})"


class UnableToBill(Exception):
    """What is said of items and invoices cannot be so; nothing changed."""


def bill(engine: Engine, file: str) -> dict[str, Any]:
    """Mark the rated items of a CSV file (`item`, `invoice`) as billed; those that the same invoice holds already are left out.

    Raises:
        UnableToBill: when the file cannot be read, or an item is unknown, was taken back, or is on another invoice.
    """
    engine.flush()
    given = _read(Path(file))
    found = _found(engine, given)
    for wrong, what in (
        (~pl.col("stored"), "there is no such rated item"),
        (pl.col("taken") & pl.col("held").is_null(), "it was taken back, or takes one back that is on no invoice"),
        (pl.col("held") != pl.col("invoice"), "another invoice holds it"),
    ):
        first = found.filter(wrong)
        if len(first):
            more = f", and {len(first) - 1:,} more" if len(first) > 1 else ""
            raise UnableToBill(f"{first['id'][0]} cannot be billed: {what}{more}")
    fresh = found.filter(pl.col("held").is_null())
    _expect_not_issued(engine, fresh["invoice"].unique().sort())
    return {
        "billed": len(fresh),
        "invoices": fresh["invoice"].n_unique(),
        "already": len(found) - len(fresh),
        "entry": _journal(engine, fresh) if len(fresh) else 0,
    }


def _expect_not_issued(engine: Engine, invoices: pl.Series) -> None:
    """Refuse numbers of invoices that billing runs issued: what those hold never changes."""
    for some in invoices.to_frame().iter_slices(INVOICES_ASKED_MAX):
        ours = engine.store.query(_ISSUED, {"invoices": some["invoice"].to_list()})
        if ours.num_rows:
            raise UnableToBill(f"{ours['invoice'][0]} was issued here: what it holds never changes")


def _read(path: Path) -> pl.DataFrame:
    """Return `id`, `invoice` and PLACE of every line."""
    try:
        frame = pl.read_csv(path, infer_schema=False, n_rows=ITEMS_MAX + 1)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UnableToBill(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if sorted(frame.columns) != sorted(COLUMNS):
        raise UnableToBill(f"{path} has not just the columns {' and '.join(COLUMNS)}")
    if len(frame) > ITEMS_MAX:
        raise UnableToBill(f"{path} has more than {ITEMS_MAX:,} lines: split it")
    length = frame["invoice"].str.len_chars().fill_null(0)
    odd = frame.with_row_index("line", 2).filter(~length.is_between(1, INVOICE_MAX))
    if len(odd):
        raise UnableToBill(f"{path}:{odd['line'][0]}: an invoice has a number of 1 to {INVOICE_MAX} characters")
    places = []
    for line, text in enumerate(frame["item"].to_list(), 2):
        try:
            named = RatedItemId.parse(text or "")
        except ValueError as error:
            raise UnableToBill(f"{path}:{line}: {error}") from error
        places.append((named.claim, named.record, named.branch, named.item))
    found = frame.rename({"item": "id"}).hstack(
        pl.DataFrame(places, schema=dict.fromkeys(PLACE, pl.Int64), orient="row")
    )
    twice = found.filter(found.select(PLACE).is_duplicated())
    if len(twice):
        raise UnableToBill(f"{path}: {twice['id'][0]} is there twice")
    return found


def _found(engine: Engine, given: pl.DataFrame) -> pl.DataFrame:
    """Return `given`, sorted, with `stored`, `taken`, and the invoice that has each item already (`held`)."""
    claims = given["claim"].unique().sort().to_list()
    stored, taken, billed = (
        pl.concat(list(_asked(engine, sql, claims, columns)))
        for sql, columns in ((_STORED, PLACE), (_TAKEN, PLACE), (_BILLED, [*PLACE, "held"]))
    )
    return (
        given.join(stored.unique().with_columns(stored=True), on=PLACE, how="left")
        .join(taken.unique().with_columns(taken=True), on=PLACE, how="left")
        .join(billed.unique(PLACE), on=PLACE, how="left")
        .with_columns(pl.col("stored", "taken").fill_null(value=False))
        .sort(PLACE)
    )


def _asked(engine: Engine, sql: str, claims: list[int], columns: list[str]) -> Iterator[pl.DataFrame]:
    schema = {name: pl.Int64 if name in PLACE else pl.String for name in columns}
    yield pl.DataFrame(schema=schema)
    for first in range(0, len(claims), CLAIMS_ASKED_MAX):
        some = ", ".join(map(str, claims[first : first + CLAIMS_ASKED_MAX]))
        found = engine.store.query(sql.format(claims=some))
        yield pl.DataFrame({name: pl.Series(found[name].to_pylist(), dtype=type_) for name, type_ in schema.items()})


def _journal(engine: Engine, fresh: pl.DataFrame) -> int:
    journal, spool = engine.journal, engine.directory.spool
    path = spool.archive / f"bill-{spool.stored_name(journal.next_claim, 'all', 'items.arrow')}"
    rows = fresh.select(BILLED_SCHEMA.names).to_arrow().cast(BILLED_SCHEMA)
    write_commands(path, iter(rows.to_batches()), BILLED_SCHEMA)
    entry = Bill(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        stored=path.name,
        sha256=sha256_of(path, path.stat().st_size),
    )
    journal.append(entry)
    engine.process(entry)
    engine.flush()
    return entry.claim
