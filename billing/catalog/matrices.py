"""The rows of price matrices: what their cells ask for, and that one row decides for every usage."""

from __future__ import annotations

import polars as pl

from billing.catalog.tables import PLACE, Check, converted_texts
from rating.image_matrix import find_ambiguity
from schemas.catalog import PriceRows
from schemas.price_table import ROWS_MAX, PriceMatrix
from schemas.values import cell_range

ANY = "*"
CODE_MAX = 255
PRIORITY_MAX = 1_000_000
WRITE = {
    "code": f"write one text of at most {CODE_MAX} characters, or {ANY} for any",
    "number": f"write a number, a range such as 0..100 or 100.., or {ANY} for any",
    "instant": f"write a range such as 2026-01-01T00:00:00Z.., or {ANY} for any",
    "date": f"write a day, a range such as 2026-01-01..2026-07-01, or {ANY} for any",
    "digits": f"write up to 17 digits, a prefix such as 33*, or {ANY} for any",
}


def matrix_conditions(check: Check, document: PriceMatrix) -> pl.DataFrame:
    """Return `priority` and the columns `when.NAME` of a matrix, null where any will do; say which cells are wrong."""
    if len(check.frame) > ROWS_MAX:
        message = f"the matrix has more than {ROWS_MAX} rows"
        check.refuse(
            next(iter(document.columns)),
            pl.int_range(pl.len()) == ROWS_MAX,
            message,
            "split it, or use a destination_table",
        )
    priority = pl.col("priority")
    wrong = ~priority.str.contains(r"^[0-9]{1,7}$") | (priority.cast(pl.Int64, strict=False) > PRIORITY_MAX)
    check.refuse("priority", wrong, '"{}" is not a priority', f"write a whole number up to {PRIORITY_MAX}")
    conditions = []
    for name, kind in document.columns.items():
        given = pl.when(pl.col(name) != ANY).then(pl.col(name))
        readable = converted_texts(check.frame.select(given).to_series(), lambda text, kind=kind: _is_cell(text, kind))  # type: ignore[misc]
        wrong = given.is_not_null() & pl.lit(readable).is_null()
        check.refuse(
            name, wrong, f'"{{}}" is no {"text" if kind == "code" else kind} that can be asked for', WRITE[kind]
        )
        conditions.append(given.alias(f"when.{name}"))
    check.tell()
    return check.frame.select(priority.cast(pl.Int32, strict=False), *conditions)


def _is_cell(text: str, kind: str) -> int | None:
    if kind == "code":
        return 1 if len(text) <= CODE_MAX else None
    try:
        cell_range(text, kind)
    except ValueError:
        return None
    return 1


def check_ambiguity(check: Check, rows: PriceRows) -> None:
    """Say so when two rows of one rank match the same usage."""
    found = find_ambiguity(rows)
    if found is None:
        return
    first, second = found
    message = f"the row and the one {_place(check, first)} match the same usage, and nothing says which of them counts"
    fix = "give one of them a lower `priority`, or let it ask for more columns"
    check.refuse(
        next(iter(rows.columns)), pl.int_range(pl.len()) == second, message.replace("{", "{{").replace("}", "}}"), fix
    )
    check.tell()


def _place(check: Check, row: int) -> str:
    file, line, _ = check.origins.place(check.frame[PLACE][row], "", ())
    return f"at {file}:{line}"
