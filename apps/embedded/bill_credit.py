"""Credit notes: one more decided from what the store has of an invoice and those before it, and issued by an entry."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from apps.embedded.billing_files import RunFiles, frame_of, table_of
from apps.embedded.billing_issue import (
    complete_marks,
    expect_days,
    expect_new,
    following_numbers,
    invoices_entry,
    keep_rows,
)
from apps.embedded.engine import Engine
from apps.embedded.images import archived_catalog
from billing.invoicing.rules_credits import Amounts, CreditLine, CreditTax, UnableToCredit, credit, summed
from pipelines.spool.journal import Invoices
from schemas.billed import INVOICE_MAX
from schemas.invoicing import INVOICE_SCHEMA, LINE_SCHEMA, TAX_SCHEMA
from schemas.money import AMOUNT_DECIMALS, CURRENCY_DECIMALS, from_scaled, to_scaled
from schemas.numbering import number_in, reserve, series_of
from schemas.tax import TaxRounding

REASON_MAX = 500
_NAMED = "SELECT * FROM fact_invoice WHERE invoice = {invoice:String} ORDER BY by_claim LIMIT 1"
_NOTES = (
    "SELECT * FROM fact_invoice WHERE kind = 'credit_note' AND corrects = {invoice:String} ORDER BY by_claim, invoice"
)
_LINES = "SELECT * FROM fact_invoice_line WHERE invoice IN {invoices:Array(String)} ORDER BY invoice, line"
_TAXES = "SELECT * FROM fact_invoice_tax WHERE invoice IN {invoices:Array(String)} ORDER BY invoice, tax_status, tax, tax_rate"
_TAX_KEY = ["tax_status", "tax", "tax_rate", "tax_reason"]


def bill_credit(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """Credit an invoice, or a part of it; asked once more in the same words, say what that made.

    Raises:
        UnableToCredit: when it cannot be credited so; nothing changed.
    """
    engine.flush()
    complete_marks(engine)
    number, reason = str(request["invoice"]), str(request["reason"]).strip()
    if not reason or len(reason) > REASON_MAX:
        raise UnableToCredit(f"a credit note says why, in {REASON_MAX} characters at most")
    row = _only(engine, number)
    asked = _asked(request.get("lines"))
    said = _digest(number, asked, reason, request.get("key"))
    made = next((entry for entry in engine.journal.entries if _is_note(entry, said)), None)
    if made is not None:
        series, first, _ = cast(Invoices, made).numbers[0]
        return _words(engine, number_in(series, first), already=True)
    notes = frame_of(engine.store.query(_NOTES, {"invoice": number}))
    whole, before, lines, taxes = _amounts(engine, row, notes)
    plan = RunFiles.of(engine.directory.billing, row["run"]).plan()
    sellers = archived_catalog(engine.directory, plan.image).sellers
    rounding = (sellers[row["seller"]].rounding if row["seller"] in sellers else TaxRounding()).of(row["currency"])
    coin = 10 ** (AMOUNT_DECIMALS - CURRENCY_DECIMALS[row["currency"]])
    note = credit(whole, before, asked, gross=row["prices"] == "gross", rounding=rounding, coin=coin)
    day = _day(request.get("date"), engine, plan.cycle.zone)
    expect_days(day)
    if day < row["invoice_date"]:
        raise UnableToCredit(f"{number} is of {row['invoice_date']}: a credit note of {day} would be before it")
    pattern = plan.cycle.credit_number
    (name,), blocks = reserve([series_of(pattern, seller=row["seller"], day=day)], following_numbers(engine))
    if len(name) > INVOICE_MAX:
        raise UnableToCredit(f"the number {name} has more than {INVOICE_MAX} characters: shorten credit_number")
    expect_new(engine, pattern, [name], f'the cycle "{plan.cycle.code}" numbers credit notes as that program does')
    tables = _tables(row, lines, taxes, note, name, day, reason)
    stem = f"credit-{said[:32]}"
    kept = [keep_rows(engine, f"{place}-{stem}.arrow", tables[place]) for place in ("invoices", "lines", "taxes")]
    entry = invoices_entry(engine, kept, blocks, run="", plan=said)
    engine.journal.append(entry)
    engine.process(entry)
    engine.flush()
    return _words(engine, name, already=False)


def _is_note(entry: Any, said: str) -> bool:
    return isinstance(entry, Invoices) and not entry.run and entry.plan == said


def _digest(number: str, asked: dict[int, int | None] | None, reason: str, key: Any) -> str:
    told = [number, None if asked is None else sorted(asked.items()), reason, None if key is None else str(key)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _asked(lines: Any) -> dict[int, int | None] | None:
    if not lines:
        return None
    asked: dict[int, int | None] = {}
    for line, amount in lines:
        if int(line) in asked:
            raise UnableToCredit(f"line {line} is named twice")
        try:
            asked[int(line)] = None if amount is None else to_scaled(Decimal(str(amount)), AMOUNT_DECIMALS)
        except (ValueError, ArithmeticError) as error:
            raise UnableToCredit(f'"{amount}" is no amount of line {line}: {error}') from error
    return asked


def _day(text: Any, engine: Engine, zone: str) -> date:
    if not text:
        return datetime.fromtimestamp(engine.now() / 1_000_000, UTC).astimezone(ZoneInfo(zone)).date()
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise UnableToCredit(f'"{text}" is no day: write it as 2026-11-01') from error


def _only(engine: Engine, number: str) -> dict[str, Any]:
    """Return an invoice that may be credited."""
    found = frame_of(engine.store.query(_NAMED, {"invoice": number})).to_dicts()
    if not found:
        raise UnableToCredit(f"no invoice {number} was issued here")
    if found[0]["kind"] != "invoice":
        raise UnableToCredit(f"{number} is a credit note: only invoices are credited")
    return found[0]


def _amounts(
    engine: Engine, row: dict[str, Any], notes: pl.DataFrame
) -> tuple[Amounts, Amounts, pl.DataFrame, pl.DataFrame]:
    """Return an invoice, what its credit notes took with its signs, and its lines and taxes as the store has them."""
    numbers = [row["invoice"], *notes["invoice"].to_list()]
    lines = frame_of(engine.store.query(_LINES, {"invoices": numbers}))
    taxes = frame_of(engine.store.query(_TAXES, {"invoices": numbers}))
    own = lines.filter(invoice=row["invoice"]), taxes.filter(invoice=row["invoice"])
    whole = _of(row, *own, "line", 1)
    before = [
        _of(note, lines.filter(invoice=note["invoice"]), taxes.filter(invoice=note["invoice"]), "corrects", -1)
        for note in notes.to_dicts()
    ]
    return whole, summed(before), *own


def _of(row: dict[str, Any], lines: pl.DataFrame, taxes: pl.DataFrame, place: str, sign: int) -> Amounts:
    return Amounts(
        tuple(
            CreditLine(each[place], sign * each["amount"], sign * each["net"], _tax(each)) for each in lines.to_dicts()
        ),
        tuple(CreditTax(_tax(each), sign * each["base"], sign * each["tax_amount"]) for each in taxes.to_dicts()),
        sign * row["paid"],
        sign * row["to_pay"],
    )


def _tax(row: dict[str, Any]) -> tuple[str, str, int, str]:
    taxed = row["tax_status"] == "taxed"
    # what nothing is due on is summed by why; lines name the tax of a rate of 0, sums do not
    return row["tax_status"], row["tax"] if taxed else "", row["tax_rate"] if taxed else 0, row["tax_reason"]


def _tables(
    row: dict[str, Any], lines: pl.DataFrame, taxes: pl.DataFrame, note: Amounts, name: str, day: date, reason: str
) -> dict[str, pa.Table]:
    """Return the rows of a credit note: amounts are below zero, so that all that was issued adds up to what is owed."""
    of_line = {each["line"]: each for each in lines.to_dicts()}
    of_tax = {_tax(each): each for each in taxes.to_dicts()}
    told = [each for each in note.lines if each.amount or each.net]
    due = {each.tax for each in told}  # of a tax whose lines were credited before, nothing is left, and nothing is said
    line_rows = [
        {
            **of_line[each.line],
            "invoice": name,
            "line": place,
            "quantity": -of_line[each.line]["quantity"] if each.amount == of_line[each.line]["amount"] else 0,
            "items": 0,
            # of a whole line as it was, so that its price is that of the invoice, and nothing of a discount stays used
            "exact": -(of_line[each.line]["exact"] if each.amount == of_line[each.line]["amount"] else each.amount),
            "amount": -each.amount,
            "net": -each.net,
            "corrects": each.line,
        }
        for place, each in enumerate(told, 1)
    ]
    tax_rows = [
        {**of_tax[each.tax], "invoice": name, "base": -each.base, "tax_amount": -each.amount}
        for each in note.taxes
        if each.base or each.amount or each.tax in due
    ]
    net, tax = -sum(each.net for each in told), -sum(each.amount for each in note.taxes)
    discount = sum(each["amount"] for each in line_rows if each["kind"] == "discount")
    head = {
        **row,
        "invoice": name,
        "kind": "credit_note",
        "run": "",
        "invoice_date": day,
        "due_date": day,
        "line_count": len(line_rows),
        "items": 0,
        "discount": discount,
        "net": net,
        "tax": tax,
        "gross": net + tax,
        "paid": -note.paid,
        "to_pay": -note.to_pay,
        "cash_rounding": -note.to_pay - (net + tax) - note.paid,
        "corrects": row["invoice"],
        "reason": reason,
        "suspect": "",
    }
    made = (("invoices", [head], INVOICE_SCHEMA), ("lines", line_rows, LINE_SCHEMA), ("taxes", tax_rows, TAX_SCHEMA))
    return {place: _table(rows, schema) for place, rows, schema in made}


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = {}
    for field in schema:
        kind = pl.Int128 if pa.types.is_decimal(field.type) else None
        values = [row[field.name] for row in rows]
        columns[field.name] = pl.Series(field.name, values, dtype=kind)
    return table_of(pl.DataFrame(columns), schema)


def _words(engine: Engine, name: str, *, already: bool) -> dict[str, Any]:
    """Return a credit note, and what is left of its invoice."""
    row = frame_of(engine.store.query(_NAMED, {"invoice": name})).row(0, named=True)
    whole = _only(engine, row["corrects"])
    notes = frame_of(engine.store.query(_NOTES, {"invoice": row["corrects"]}))
    told = {each: f"{from_scaled(row[each], AMOUNT_DECIMALS):f}" for each in ("net", "tax", "gross", "paid", "to_pay")}
    left = whole["gross"] + int(notes["gross"].cast(pl.Int128).sum())
    return {
        "credit_note": name,
        "invoice": row["corrects"],
        "currency": row["currency"],
        "date": row["invoice_date"].isoformat(),
        "reason": row["reason"],
        **told,
        "left": f"{from_scaled(left, AMOUNT_DECIMALS):f}",
        "already": already,
        "entry": row["by_claim"],
    }
