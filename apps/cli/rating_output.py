"""What `octroi rate` prints: a bill for people, CSV or JSON for programs."""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from apps.cli.output import count, plain, print_table, printable
from apps.embedded.virtual import RatedUsage, VirtualRating
from apps.embedded.virtual_items import SCHEMA, ItemWriter, detail, one_price, refusal_frame

if TYPE_CHECKING:
    from apps.embedded.virtual_usage import Refusal, UsageReader

ACCOUNTS_SHOWN = 20
QUANTITIES = ("quantity", "rated_quantity", "free_quantity", "counter_before")
_BILL = ("record", "charge", "quantity", "rated_quantity", "unit", "amount", "currency", "detail")
_TAXED_BILL = (*_BILL[:-3], "net", "tax", "tax_amount", "gross", "currency", "detail")
_NUMBERS = ("quantity", "rated_quantity", "amount", "discount", "tax_rate", "net", "tax_amount", "gross", "to_pay")
_COMMANDING = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_OTHER = re.compile(r"[^\x00-\x7f]")
_HEADINGS = {
    "rated_quantity": "rated",
    "detail": "how",
    "tax_amount": "tax amount",
    "tax_rate": "%",
    "to_pay": "to pay",
}


class Output(Protocol):
    """Prints all that a virtual rating yields."""

    def __call__(self, rating: VirtualRating, reader: UsageReader, *, detail: bool, limit: int) -> None:
        """Rate the usage of a reader and print it."""


def _frames(
    rating: VirtualRating, reader: UsageReader, writer: ItemWriter, *, explained: bool, most: int | None = None
) -> Iterator[tuple[pl.DataFrame, list[dict[str, Any]]]]:
    """Yield rows as they come to be known, and the explanations of those that are rated, when wanted.

    With `most`, only so many rated and so many refused rows are made; all usage is rated.
    """
    left = {"rated": most, "refused": most}

    def room(kind: str, wanted: int) -> int:
        known = left[kind]
        if known is None:
            return wanted
        taken = min(known, wanted)
        left[kind] = known - taken
        return taken

    for found in rating.rate(reader):
        refused: list[Refusal] = (
            found if isinstance(found, list) else writer.refusals(found, by_subscription=reader.by_subscription)
        )
        refused = refused[: room("refused", len(refused))]
        if refused:
            yield refusal_frame(refused), []
        if isinstance(found, RatedUsage):
            rows = np.flatnonzero(found.rated.reason == 0)
            rows = rows[: room("rated", len(rows))]
            if len(rows):
                frame = writer.frame(found, by_subscription=reader.by_subscription).head(len(rows))
                yield _explained(frame, found, rows.tolist(), writer) if explained else (frame, [])


def _explained(
    frame: pl.DataFrame, usage: RatedUsage, rows: list[int], writer: ItemWriter
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Return the frame with what the twin tells of each row, and its explanations."""
    from apps.embedded.virtual import TwinDiffers

    told: dict[str, list[str | None]] = {name: [] for name in ("unit_price", "per", "free_quantity", "detail")}
    told["connection_fee"] = []
    explanations = []
    for row in rows:
        explanation = writer.explain(usage, row)
        if explanation.amount != int(usage.rated.amount[row]):
            raise TwinDiffers(
                f"record {int(usage.edrs.record[row])}: the kernels say {int(usage.rated.amount[row])} billionths, "
                f"the twin says {explanation.amount}"
            )
        unit_price, per, free = one_price(explanation)
        fee = explanation.connection_fee if explanation.rated_quantity else Decimal(0)
        lines = "\n".join(detail(explanation))
        for name, value in zip(
            told, (unit_price, per, free, lines, f"{fee.normalize():f}" if fee else None), strict=True
        ):
            told[name].append(value)
        explanations.append(explanation.model_dump(mode="json"))
    columns = {name: pl.Series(values, dtype=pl.String) for name, values in told.items()}
    known = [each.zip_with(each.is_not_null(), frame[name]).alias(name) for name, each in columns.items()]
    return frame.with_columns(known), explanations


def print_bill(rating: VirtualRating, reader: UsageReader, *, detail: bool, limit: int) -> None:
    """Print the first items and refusals, with what they are made of, and all totals."""
    writer = ItemWriter(rating)
    items: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for frame, _ in _frames(rating, reader, writer, explained=detail, most=limit):
        for row in frame.to_dicts():
            (items if row["status"] == "rated" else refused).append(row)
    by_charge, by_account = writer.totals()
    rated = sum(int(line["items"]) for line in by_charge)
    print(f"Virtual: {count(rating.records, 'record')}, {count(rated, 'rated item')}; nothing is kept")
    if items:
        bill = _BILL if rating.taxes is None else _TAXED_BILL
        columns = [name for name in bill if detail or name != "detail"]
        rows = [line for item in items for line in _lines(item, columns)]
        print_table("Items", [_HEADINGS.get(name, name) for name in columns], rows)
        _tell_more(rated - len(items), "item")
    if refused:
        columns = ["record", "reason", "detail"]
        print_table("Refused", columns, [[row[name] for name in columns] for row in refused])
        _tell_more(rating.refused - len(refused), "refusal")
    if by_charge:
        print_table("By charge", list(by_charge[0]), [list(_shown(line).values()) for line in by_charge])
    if by_account:
        print_table(
            "By account", list(by_account[0]), [list(_shown(line).values()) for line in by_account[:ACCOUNTS_SHOWN]]
        )
        _tell_more(len(by_account) - ACCOUNTS_SHOWN, "account")
    for name, lines in (rating.bill.totals() if rating.bill is not None else {}).items():
        if lines:
            title = name.replace("_", " ").capitalize()
            columns = [name for name in lines[0] if name != "tax_status"]
            rows = [[_shown(line)[name] for name in columns] for line in lines[:ACCOUNTS_SHOWN]]
            print_table(title, [_HEADINGS.get(name, name) for name in columns], rows)
            _tell_more(len(lines) - ACCOUNTS_SHOWN, "line")


def _lines(item: dict[str, Any], columns: list[str]) -> Iterator[list[Any]]:
    """Yield an item as lines of a table: the first has everything, the others go on telling what it is made of."""
    told = (item["detail"] or "").split("\n")
    shown = _shown({**item, "detail": told[0]})
    yield [shown[name] for name in columns]
    for line in told[1:]:
        yield [line if name == "detail" else None for name in columns]


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line with numbers that are aligned, and why there is no tax in the place of one."""
    shown = {name: Decimal(value) if name in _NUMBERS and value is not None else value for name, value in line.items()}
    if line.get("tax_status") is not None and line["tax"] is None:
        shown["tax"] = line["tax_status"]
    return shown


def _tell_more(number: int, noun: str) -> None:
    if number > 0:
        print(f"… {count(number, f'more {noun}')}; --out csv prints all")


def print_csv(rating: VirtualRating, reader: UsageReader, *, detail: bool, limit: int) -> None:
    """Print one line per item, refusal and total; `limit` is for tables."""
    del limit
    writer = ItemWriter(rating)
    print(",".join(writer.columns), flush=True)
    empty = pl.DataFrame(schema={name: SCHEMA.get(name, pl.String) for name in writer.columns})
    for frame, _ in _frames(rating, reader, writer, explained=detail):
        _write_csv(frame.with_columns(pl.col("detail").str.replace_all("\n", "; ", literal=True)), empty)
    totals = [line for lines in _totals(rating, writer).values() for line in lines]
    _write_csv(
        pl.DataFrame(
            [{name: {"status": "total", **line}.get(name) for name in writer.columns} for line in totals],
            schema=empty.schema,
        ),
        empty,
    )


def _totals(rating: VirtualRating, writer: ItemWriter) -> dict[str, list[dict[str, Any]]]:
    by_charge, by_account = writer.totals()
    totals: dict[str, list[dict[str, Any]]] = {"charges": [*by_charge], "accounts": [*by_account]}
    return totals if rating.bill is None else totals | rating.bill.totals()


def _write_csv(frame: pl.DataFrame, empty: pl.DataFrame) -> None:
    frame = pl.concat([empty, frame], how="diagonal")
    sys.stdout.write(printable(frame.write_csv(include_header=False), newlines=True))


def print_rows(rating: VirtualRating, reader: UsageReader, *, detail: bool, limit: int) -> None:
    """Print one JSON document: items as they are rated, then refusals and totals; `limit` is for tables."""
    del limit
    writer = ItemWriter(rating)
    refused: list[str] = []
    begun = False
    sys.stdout.write('{\n"items": [')
    for frame, explanations in _frames(rating, reader, writer, explained=detail):
        lines = _json_lines(frame.drop("status"), explanations)
        if frame["status"][0] == "refused":
            refused.append(lines)
            continue
        sys.stdout.write(f"{',' if begun else ''}\n{lines}")
        begun = True
    totals = _totals(rating, writer)
    sys.stdout.write("\n],\n" + '"refused": [\n' + ",\n".join(refused) + "\n],\n")
    sys.stdout.write(f'"records": {rating.records},\n"totals": {_safe(json.dumps(totals, ensure_ascii=False))}\n}}\n')


def _json_lines(frame: pl.DataFrame, explanations: list[dict[str, Any]]) -> str:
    """Return rows as JSON objects, a line each, with commas between them."""
    if not explanations:
        return _safe(frame.write_ndjson().rstrip("\n").replace("\n", ",\n"))
    rows = frame.to_dicts()
    for row, explanation in zip(rows, explanations, strict=True):
        row["detail"] = row["detail"].split("\n") if row["detail"] else []
        row["explanation"] = plain(explanation)
    return _safe(",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows))


def _safe(text: str) -> str:
    """Return JSON with what commands a terminal escaped; and what is no ASCII, where stdout knows ASCII alone."""
    text = _COMMANDING.sub(_escape, text)
    try:
        text.encode(sys.stdout.encoding or "ascii", "strict")
    except UnicodeEncodeError:
        text = _OTHER.sub(_escape, text)
    return text


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-le")
    return "".join(f"\\u{unit:04x}" for unit in struct.unpack(f"<{len(units) // 2}H", units))


OUTPUT: dict[str, Callable[..., None]] = {"table": print_bill, "csv": print_csv, "json": print_rows}
