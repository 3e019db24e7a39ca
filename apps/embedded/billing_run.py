"""Steps of billing runs: plan, execute in parts, review, validate, cancel. Each may be killed and done again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from apps.embedded.billing_files import RunFiles, UnableToBillRun, digest, frame_of, table_of
from apps.embedded.billing_issue import complete_marks, expect_days, expect_own, issue_part, issued_parts
from apps.embedded.billing_items import PartItems, RunItems
from apps.embedded.engine import Engine
from billing.invoicing.rules_bill_discounts import discounts_of_kept
from billing.invoicing.rules_cycles import UnableToBillCycle, cycle_called
from billing.invoicing.rules_documents import unnamed
from billing.invoicing.rules_drafts import Drafts, draft, with_invoices
from billing.invoicing.rules_runs import run_dates
from schemas.invoicing import INVOICE_SCHEMA, ITEM_SCHEMA, LEFT_SCHEMA, LINE_SCHEMA, PART_FILES, TAX_SCHEMA, RunPlan
from schemas.money import AMOUNT_DECIMALS, from_scaled

PART_ROWS = 2_500_000
"""Rated items that a part reads, whatever their age: what it needs of memory does not grow with history."""
STEP_S = 20.0
"""How long one request works on parts: files that come meanwhile wait so long."""
LISTED_MAX = 1000
_CREDITED = """
SELECT currency, count() AS credit_notes, toString(-sum(gross)) AS gross FROM fact_invoice
WHERE kind = 'credit_note' AND corrects IN (SELECT invoice FROM fact_invoice WHERE run = {run:String})
GROUP BY currency ORDER BY currency
"""
_LEFT_KEY = ["account", "currency", "why"]


def bill_run(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """Do one step of a billing run, as `request["step"]` names it.

    Raises:
        UnableToBillRun: when it cannot be done; nothing changed.
    """
    engine.flush()
    complete_marks(engine)
    files = RunFiles.of(engine.directory.billing, str(request["run"]))
    match request["step"]:
        case "plan":
            return _plan(engine, files, request)
        case "execute":
            return _execute(engine, files, float(request.get("seconds", STEP_S)))
        case "review":
            return _review(files, every=bool(request.get("all")))
        case "validate":
            return _validate(engine, files, tuple(request["without"]), float(request.get("seconds", STEP_S)))
        case "cancel":
            return _cancel(engine, files, str(request["reason"]), rest=bool(request.get("rest")))
        case "report":
            return _report(engine, files)
        case other:
            raise UnableToBillRun(f'"{other}" is no step of a billing run')


def _plan(engine: Engine, files: RunFiles, request: dict[str, Any]) -> dict[str, Any]:
    plan = make_plan(engine, files.path.name, request)
    if files.planned:
        held = files.plan()
        asked = {"cut", "segment", "block", "image", "ids", "bounds"}
        if held.model_dump(exclude=asked) != plan.model_dump(exclude=asked):
            raise UnableToBillRun(f'the run "{plan.run}" is planned otherwise already: cancel it, or take another key')
        plan = held
    else:
        expect_own(engine, plan)
        files.keep_plan(plan)
    _open(files)
    return _words(plan)


def make_plan(engine: Engine, run: str, request: dict[str, Any]) -> RunPlan:
    """Return the plan that a request means, as of now."""
    if engine.active is None:
        raise UnableToBillRun("no catalog was ever in force here")
    catalog = engine.active.catalog
    accounts = tuple(sorted(request["accounts"])) or None
    try:
        cycle = cycle_called(catalog, request.get("cycle"))
    except UnableToBillCycle as error:
        raise UnableToBillRun(str(error)) from error
    unknown = sorted(set(accounts or ()) - set(catalog.accounts["account"]))
    if unknown:
        raise UnableToBillRun(f'there is no account "{unknown[0]}" in the catalog in force')
    today = datetime.fromtimestamp(engine.now() / 1_000_000, UTC).astimezone(ZoneInfo(cycle.zone)).date()
    until = _day(request.get("until"), today)
    if until > today and not request.get("ahead"):
        raise UnableToBillRun(
            f"{until} has not come yet: usage of that period still comes (--ahead bills it all the same)"
        )
    dated = _day(request["date"], today) if request.get("date") else None
    expect_days(until, dated or until)
    dates = run_dates(cycle, until, dated)
    expect_days(dates.invoice_date, dates.due_date, dates.period_start, dates.period_end)
    plan = RunPlan(
        run=run,
        cycle=cycle,
        accounts=accounts,
        cut=engine.journal.next_claim,
        segment=engine.state.charging.segment,
        block=engine.state.charging.block,
        image=engine.state.image,
        tenant=engine.settings.tenant,
        invoice_date=dates.invoice_date,
        due_date=dates.due_date,
        period_start=dates.period_start,
        period_end=dates.period_end,
        start_at=dates.start_at,
        end_at=dates.end_at,
        ids=len(engine.state.vocabulary.accounts),
    )
    return plan.model_copy(update={"bounds": RunItems(engine, plan).bounds(int(request.get("part_rows") or PART_ROWS))})


def _day(text: Any, otherwise: date) -> date:
    try:
        return date.fromisoformat(str(text)) if text else otherwise
    except ValueError as error:
        raise UnableToBillRun(f'"{text}" is no day: write it as 2026-11-01') from error


def _open(files: RunFiles) -> RunPlan:
    plan = files.plan()
    if files.cancelled:
        raise UnableToBillRun(f'the run "{plan.run}" is cancelled: plan another one')
    return plan


def draft_part(items: RunItems, number: int, rows: pl.DataFrame | None) -> dict[str, pa.Table]:
    """Return the drafts of one part of a run: the tables of PART_FILES. The same plan makes the same bytes.

    Args:
        rows: as `items.read` returns them.
    """
    if rows is None:
        return {name: schema.empty_table() for name, schema in PART_FILES.items()}
    found, plan = items.part(number, rows), items.plan
    sold = with_invoices(found.sold, plan.cycle)
    used = items.used if items.discount_plans else {}
    taken = discounts_of_kept(sold, found.active, items.discount_plans, items.sellers, used, plan.cycle)
    made = draft(sold.drop("active"), plan.cycle, items.sellers, found.parts, taken)
    return _tables(items, found, made)


def _tables(items: RunItems, found: PartItems, made: Drafts) -> dict[str, pa.Table]:
    plan = items.plan
    invoices = _with_suspicions(items, made.invoices).with_columns(
        invoice=pl.concat_str("account", "seller", "currency", "split", separator="/"),
        kind=pl.lit("invoice"),
        run=pl.lit(plan.run),
        invoice_date=pl.lit(plan.invoice_date),
        due_date=pl.lit(plan.due_date),
        period_start=pl.lit(plan.period_start),
        period_end=pl.lit(plan.period_end),
        corrects=pl.lit(""),
        reason=pl.lit(""),
    )
    named = invoices.select("row", "invoice")
    lines = made.lines.join(named, on="row", how="left", maintain_order="left").with_columns(
        corrects=pl.lit(0, pl.UInt32)
    )
    taxes = made.taxes.join(named, on="row", how="left", maintain_order="left")
    placed = found.items.join(made.placed, on="group").sort("row", "line", "place", "sub")
    places = placed.select(
        claim=(pl.col("place") // 2**32).cast(pl.UInt32),
        record=(pl.col("place") % 2**32).cast(pl.UInt32),
        branch=(pl.col("sub") // 256).cast(pl.UInt8),
        item=(pl.col("sub") % 256).cast(pl.UInt8),
        invoice=pl.col("row").cast(pl.UInt32),
        line=pl.col("line").cast(pl.UInt32),
    )
    more = found.sold.join(made.left, on="group").group_by(_LEFT_KEY).agg(pl.col("items", "amount").sum())
    left = pl.concat([found.left.select(*_LEFT_KEY, "items", "amount"), more]).sort(_LEFT_KEY)
    return {
        "invoices": table_of(invoices, INVOICE_SCHEMA),
        "lines": table_of(lines, LINE_SCHEMA),
        "taxes": table_of(taxes, TAX_SCHEMA),
        "items": table_of(places, ITEM_SCHEMA),
        "left": table_of(left, LEFT_SCHEMA),
    }


def _with_suspicions(items: RunItems, invoices: pl.DataFrame) -> pl.DataFrame:
    """Return invoices with the suspicion of those that differ much from the last one, or that nobody has a name for."""
    told = invoices.join(items.before, on=["account", "currency"], how="left", maintain_order="left")
    large = pl.col("gross").abs() > items.plan.cycle.large_change * pl.col("before").abs()
    small = pl.col("gross").abs() * items.plan.cycle.large_change < pl.col("before").abs()
    change = pl.when(pl.col("before").is_not_null() & (large | small)).then(pl.lit("change"))
    silent = pl.when(unnamed(items.catalog, invoices)).then(pl.lit("no_name"))
    suspect = pl.concat_str(pl.col("suspect").replace("", None), change, silent, separator=",", ignore_nulls=True)
    return told.with_columns(suspect=suspect.fill_null("")).drop("before")


def _execute(engine: Engine, files: RunFiles, seconds: float) -> dict[str, Any]:
    plan = _open(files)
    _draft_parts(files, RunItems(engine, plan), seconds)
    done = len(files.done(plan))
    told = {"run": plan.run, "done": done, "parts": plan.parts}
    return told | (summed(tables for _, tables in files.parts(plan)) if done == plan.parts else {})


def _draft_parts(files: RunFiles, items: RunItems, seconds: float) -> None:
    """Draft parts that are not drafted yet, at least one of them: the next one is read, and the one before kept, meanwhile."""
    started, longest, plan = time.monotonic(), 0.0, items.plan
    left = sorted(set(range(plan.parts)) - set(files.done(plan)))
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(1, "keep") as keeping:
        ahead = deque(reading.submit(items.read, part) for part in left[:1])
        keep: Future[None] | None = None
        for part, following in zip_longest(left, left[1:]):
            begun = time.monotonic()
            rows = ahead.popleft().result()
            # what this step will not come to would be read for nothing
            if following is not None and begun - started + longest < seconds:
                ahead.append(reading.submit(items.read, following))
            tables = draft_part(items, part, rows)
            if keep is not None:
                keep.result()
            keep = keeping.submit(files.keep_part, plan, part, tables)
            longest = max(longest, time.monotonic() - begun)
            if not ahead or time.monotonic() - started > seconds:
                break
        if keep is not None:
            keep.result()


def _review(files: RunFiles, *, every: bool) -> dict[str, Any]:
    plan = files.plan()
    parts = [tables for _, tables in files.parts(plan)]
    rows: list[dict[str, Any]] = []
    found = 0
    for tables in parts:
        invoices = frame_of(tables["invoices"])
        chosen = invoices if every else invoices.filter(pl.col("suspect") != "")
        found += len(chosen)
        rows += chosen.head(LISTED_MAX - len(rows)).to_dicts()
    sums = ("net", "tax", "gross", "to_pay")
    names = ("account", "seller", "currency", "split", "line_count", "items", *sums, "suspect")
    return {
        "run": plan.run,
        "found": found,
        "invoices": [{name: _plain(row[name]) if name in sums else row[name] for name in names} for row in rows],
        "left": summed(iter(parts))["left"],
    }


def _plain(amount: int) -> str:
    return str(from_scaled(amount, AMOUNT_DECIMALS))


def _validate(engine: Engine, files: RunFiles, without: tuple[str, ...], seconds: float) -> dict[str, Any]:
    plan = _open(files)
    expect_own(engine, plan)
    undrafted = plan.parts - len(files.done(plan))
    if undrafted:
        raise UnableToBillRun(f'{undrafted} parts of the run "{plan.run}" are not drafted: execute it first')
    if without and not files.validating:
        drafted = {account for _, tables in files.parts(plan) for account in tables["invoices"]["account"].to_pylist()}
        unknown = sorted(set(without) - drafted)
        if unknown:
            raise UnableToBillRun(f'no draft of the run "{plan.run}" is of the account {unknown[0]}')
    left = files.without(without)
    started = time.monotonic()
    for part in sorted(set(range(plan.parts)) - set(issued_parts(engine, plan.run))):
        issue_part(engine, files, plan, part, left)
        if time.monotonic() - started > seconds:
            break
    return _report(engine, files)


def _cancel(engine: Engine, files: RunFiles, reason: str, *, rest: bool) -> dict[str, Any]:
    plan = _open(files)
    issued = len(issued_parts(engine, plan.run))
    if issued == plan.parts or (issued and not rest):
        more = "" if issued == plan.parts else f"; --rest cancels the {plan.parts - issued} other parts"
        raise UnableToBillRun(f'invoices of the run "{plan.run}" are issued: they are corrected by credit notes{more}')
    files.cancel(reason)
    return {"run": plan.run, "state": "closed" if issued else "cancelled", "issued": issued, "parts": plan.parts}


def _report(engine: Engine, files: RunFiles) -> dict[str, Any]:
    plan = files.plan()
    issued = issued_parts(engine, plan.run)
    drafted = len(files.done(plan))
    state = "validated" if len(issued) == plan.parts else "validating" if issued else "drafted"
    state = state if drafted == plan.parts else "planned"
    numbers = sum(count for entry in issued.values() for _, _, count in entry.numbers)
    return {
        **_words(plan),
        "state": ("closed" if issued else "cancelled") if files.cancelled else state,
        "drafted": drafted,
        "issued": len(issued),
        "invoices_issued": numbers,
        "series": [list(block) for part in sorted(issued) for block in issued[part].numbers],
        "credited": engine.store.query(_CREDITED, {"run": plan.run}).to_pylist() if issued else [],
    }


def _words(plan: RunPlan) -> dict[str, Any]:
    return {
        "run": plan.run,
        "plan": digest(plan)[:16],
        "cycle": plan.cycle.code,
        "period_start": plan.period_start.isoformat(),
        "period_end": plan.period_end.isoformat(),
        "invoice_date": plan.invoice_date.isoformat(),
        "due_date": plan.due_date.isoformat(),
        "cut": plan.cut,
        "parts": plan.parts,
    }


def summed(parts: Iterator[dict[str, pa.Table]]) -> dict[str, Any]:
    """Return what drafts come to by currency, and what was left out and why."""
    totals: dict[str, dict[str, int]] = {}
    left: dict[tuple[str, str], dict[str, int]] = {}
    suspects = 0
    for tables in parts:
        invoices = frame_of(tables["invoices"])
        suspects += len(invoices.filter(pl.col("suspect") != ""))
        for row in invoices.group_by("currency").agg(
            accounts=pl.col("account").n_unique(), invoices=pl.len(), lines=pl.col("line_count").sum(),
            items=pl.col("items").sum(), net=pl.col("net").sum(), tax=pl.col("tax").sum(), gross=pl.col("gross").sum(),
        ).to_dicts():  # fmt: skip
            _add(totals.setdefault(row.pop("currency"), {}), row)
        for row in frame_of(tables["left"]).group_by("why", "currency").agg(
            accounts=pl.col("account").n_unique(), items=pl.col("items").sum(), amount=pl.col("amount").sum()
        ).to_dicts():  # fmt: skip
            _add(left.setdefault((row.pop("why"), row.pop("currency")), {}), row)
    return {
        "suspects": suspects,
        "totals": [{"currency": key, **_said(row)} for key, row in sorted(totals.items())],
        "left": [{"why": why, "currency": currency, **_said(row)} for (why, currency), row in sorted(left.items())],
    }


def _add(to: dict[str, int], row: dict[str, int]) -> None:
    for name, value in row.items():
        to[name] = to.get(name, 0) + int(value)


def _said(row: dict[str, int]) -> dict[str, Any]:
    money = ("net", "tax", "gross", "amount")
    return {name: str(from_scaled(value, AMOUNT_DECIMALS)) if name in money else value for name, value in row.items()}
