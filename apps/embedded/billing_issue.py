"""Issuing the drafts of a billing run: numbers are reserved by an entry of the log, and marks follow it.

The entry that issues a part is the decision. What takes numbers is in the log, so a crash leaves no gap: either the entry is
there with its block, or the next one takes those numbers. The marks of its items are entries `bill` that follow; they are named
by the entry, so that a crash between them leaves a list of what is to be appended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

import polars as pl
import pyarrow as pa

from apps.embedded.billing_files import RunFiles, UnableToBillRun, digest, frame_of, keep_table, table_of
from apps.embedded.billing_items import batches
from apps.embedded.engine import Engine
from apps.embedded.files import sha256_of
from pipelines.spool.journal import Bill, Invoices, JournalEntry
from schemas.billed import BILLED_LINES_SCHEMA, INVOICE_MAX, ITEMS_MAX
from schemas.ids import RatedItemId
from schemas.invoicing import DAY_MAX, DAY_MIN, INVOICE_SCHEMA, LINE_SCHEMA, TAX_SCHEMA, RunPlan
from schemas.numbering import next_numbers, reserve, series_of

_PLACE = ["claim", "record", "branch", "item"]
_HELD = """
SELECT claim, record, branch, item, invoice AS held FROM fact_billed
WHERE by_claim >= {cut} AND by_claim NOT IN ({own})
"""
_MARKED = "SELECT DISTINCT invoice FROM fact_billed WHERE line = 0 AND startsWith(invoice, {begin:String})"


def expect_days(*days: date) -> None:
    """Refuse days that the store cannot say, before the log has them.

    Raises:
        UnableToBillRun: with the first of them.
    """
    wrong = next((day for day in days if not DAY_MIN <= day <= DAY_MAX), None)
    if wrong is not None:
        raise UnableToBillRun(f"{wrong} is no day for an invoice: they are from {DAY_MIN} to {DAY_MAX}")


def expect_own(engine: Engine, plan: RunPlan) -> None:
    """Refuse a plan whose key another plan issued invoices under: the log outlives the files of runs."""
    if any(entry.plan != digest(plan) for entry in issued_parts(engine, plan.run).values()):
        raise UnableToBillRun(f'invoices of another plan are issued as "{plan.run}": take another key')


def issued_parts(engine: Engine, run: str) -> dict[int, Invoices]:
    """Return the entries that issued parts of a run, by part."""
    return {entry.part: entry for entry in engine.journal.entries if isinstance(entry, Invoices) and entry.run == run}


def following_numbers(engine: Engine) -> dict[str, int]:
    """Return the next number of each series, as the log says."""
    issued = (entry for entry in engine.journal.entries if isinstance(entry, Invoices))
    return next_numbers(block for entry in issued for block in entry.numbers)


def complete_marks(engine: Engine) -> int:
    """Append the marks that entries of invoices name and that are not in the log yet; return how many entries that made."""
    entries = engine.journal.entries
    held = {entry.stored for entry in entries if isinstance(entry, Bill)}
    missing = [mark for entry in entries if isinstance(entry, Invoices) for mark in entry.marks if mark[0] not in held]
    for stored, sha256 in missing:
        entry = _mark(engine, 0, stored, sha256)
        engine.journal.append(entry)
        engine.process(entry)
    if missing:
        engine.flush()
    return len(missing)


def issue_part(engine: Engine, files: RunFiles, plan: RunPlan, part: int, without: tuple[str, ...]) -> Invoices:
    """Issue the invoices of one part: files in the archive, then one entry with its numbers, then its marks.

    Raises:
        UnableToBillRun: when another invoice holds one of its items by now; nothing changed.
    """
    expect_days(plan.invoice_date, plan.due_date, plan.period_start, plan.period_end)
    tables = files.part(plan, part)
    items = cast(pl.DataFrame, pl.from_arrow(tables["items"]))
    invoices = frame_of(tables["invoices"]).with_row_index("row")
    invoices = invoices.filter(~pl.col("account").is_in(list(without)))
    items = items.join(invoices.select(invoice="row"), on="invoice", how="semi")
    _expect_free(engine, plan, items)
    pattern = plan.cycle.number
    wanted = [series_of(pattern, seller=seller, day=plan.invoice_date) for seller in invoices["seller"].to_list()]
    numbers, blocks = reserve(wanted, following_numbers(engine))
    long = next((number for number in numbers if len(number) > INVOICE_MAX), None)
    if long is not None:
        raise UnableToBillRun(f"the number {long} has more than {INVOICE_MAX} characters: shorten the pattern")
    fix = f'give the cycle "{plan.cycle.code}" another pattern, cancel the run "{plan.run}" and plan another one'
    expect_new(engine, pattern, numbers, fix)
    named = invoices.select("row", draft="invoice").with_columns(number=pl.Series(numbers, dtype=pl.String))
    stem = f"{plan.run}-{digest(plan)[:16]}-{part:05}"
    kept: list[tuple[str, str]] = []
    for name, schema in (("invoices", INVOICE_SCHEMA), ("lines", LINE_SCHEMA), ("taxes", TAX_SCHEMA)):
        rows = frame_of(tables[name]).join(named, left_on="invoice", right_on="draft", maintain_order="left")
        kept.append(keep_rows(engine, f"{name}-{stem}.arrow", table_of(rows.with_columns(invoice="number"), schema)))
    marks = _marks(engine, items, named, stem)
    entry = invoices_entry(engine, kept, blocks, run=plan.run, plan=digest(plan), part=part, marks=marks)
    following: list[JournalEntry] = [entry, *(_mark(engine, place, *mark) for place, mark in enumerate(marks, 1))]
    engine.journal.append_all(following)
    for each in following:
        engine.process(each)
    engine.flush()
    return entry


def invoices_entry(
    engine: Engine,
    kept: Sequence[tuple[str, str]],
    blocks: Sequence[tuple[str, int, int]],
    *,
    run: str,
    plan: str,
    part: int = 0,
    marks: Sequence[tuple[str, str]] = (),
) -> Invoices:
    """Return the next entry, of kept invoices, lines and taxes, each as `keep_rows` returns it."""
    (stored, sha256), (lines, lines_sha256), (taxes, taxes_sha256) = kept
    return Invoices(
        claim=engine.journal.next_claim,
        received_at=engine.journal.stage_time(engine.now()),
        run=run,
        plan=plan,
        part=part,
        numbers=tuple(blocks),
        stored=stored,
        sha256=sha256,
        lines=lines,
        lines_sha256=lines_sha256,
        taxes=taxes,
        taxes_sha256=taxes_sha256,
        marks=tuple(marks),
    )


def keep_rows(engine: Engine, name: str, rows: pa.Table) -> tuple[str, str]:
    """Keep rows in the archive; return the name of the file and its hash."""
    path = engine.directory.spool.archive / name
    keep_table(path, rows)
    return name, sha256_of(path, path.stat().st_size)


def _marks(engine: Engine, items: pl.DataFrame, named: pl.DataFrame, stem: str) -> list[tuple[str, str]]:
    """Keep what invoices hold in files of bounded size; return their names and hashes."""
    rows = (
        items.join(named.select("row", "number"), left_on="invoice", right_on="row")
        .select(*_PLACE, invoice="number", line="line")
        .sort(_PLACE)
    )
    return [
        keep_rows(engine, f"bill-{stem}-{place}.arrow", some.to_arrow().cast(BILLED_LINES_SCHEMA))
        for place, some in enumerate(rows.iter_slices(ITEMS_MAX))
        if len(some)
    ]


def _mark(engine: Engine, after: int, stored: str, sha256: str) -> Bill:
    claim, at = engine.journal.next_claim + after, engine.journal.stage_time(engine.now())
    return Bill(claim=claim, received_at=at, stored=stored, sha256=sha256)


def _place_of(row: dict[str, Any]) -> tuple[int, int, int, int]:
    return row["claim"], row["record"], row["branch"], row["item"]


def expect_new(engine: Engine, pattern: str, numbers: list[str], fix: str) -> None:
    """Refuse numbers that invoices of another program have: marks of theirs name no line.

    Raises:
        UnableToBillRun: with the first of them, and the fix.
    """
    given = pl.DataFrame({"invoice": numbers}, schema={"invoice": pl.String})
    for some in batches(engine, _MARKED, {"begin": pattern.partition("{")[0]}):
        both = given.join(some, on="invoice", how="semi")
        if len(both):
            number = both["invoice"].sort()[0]
            raise UnableToBillRun(f"the number {number} is of an invoice that `octroi bill mark` told of: {fix}")


def _expect_free(engine: Engine, plan: RunPlan, items: pl.DataFrame) -> None:
    """Refuse a part of which another invoice holds an item by now."""
    marks = [entry for entry in engine.journal.entries[plan.cut - 1 :] if isinstance(entry, Bill)]
    named = {stored for entry in issued_parts(engine, plan.run).values() for stored, _ in entry.marks}
    own = {entry.claim for entry in marks if entry.stored in named}
    if len(own) == len(marks):
        return
    asked = _HELD.format(cut=plan.cut, own=", ".join(map(str, sorted(own))) or "0")
    both = [some.join(items, on=_PLACE, how="semi") for some in batches(engine, asked)]
    row = min((each.sort(_PLACE).row(0, named=True) for each in both if len(each)), key=_place_of, default=None)
    if row is not None:
        item = RatedItemId(*_place_of(row))
        raise UnableToBillRun(f'{item} is on {row["held"]} by now: cancel the run "{plan.run}" and plan another one')
