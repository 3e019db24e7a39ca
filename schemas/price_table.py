"""Price tables: many prices of one kind, found by what a usage says. Their rows are in the document or in a CSV file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from schemas.price_plan import Code, Document
from schemas.values import ValueKind


def _cell(written: object) -> object:
    """Read whole numbers as text; refuse what YAML makes of other texts."""
    if isinstance(written, bool | float):
        raise ValueError(f'write the cell in quotes, "{written}"')
    return str(written) if isinstance(written, int) else written


Cell = Annotated[str, BeforeValidator(_cell, json_schema_input_type=str | int)]
Row = dict[str, Cell]
"""One row by column. In a CSV file, an empty field is a column that the row does not have."""
ROWS_MAX = 100_000
"""Of a matrix; a destination table may have as many as its file holds."""
PREFIX_MAX = 15
"""Digits of E.164."""


class PriceTable(Document):
    """What both kinds have: the rows, in `rows` or in the CSV file `file` beside the catalog, whose header names the columns.

    Besides its conditions a row has `price`, or `price.BAND` for every band of the calendar, and optionally `start` and `end`
    of the time in which it is in force, and what takes the place of the version's own: `first` and `next` (increments),
    `minimum_quantity` and `connection_fee`. A row without a price has none: usage finds another one, or is refused.
    """

    kind: str
    code: Code
    file: str | None = None
    rows: Annotated[tuple[Row, ...], Field(min_length=1)] | None = None


class DestinationTable(PriceTable):
    """Prices by the longest prefix of the digits in the value `value` that has a price in force.

    Columns: `prefix` (up to 15 digits, or `*` for all) and, optionally, `destination`, its name.
    """

    kind: Literal["destination_table"]
    value: Code


MatrixColumn = Literal["code"] | ValueKind


class PriceMatrix(PriceTable):
    """Prices by any attributes and values of a usage.

    `columns` are names of attributes (`code`) and values (their type) of the event type. A cell is one text; of a value it may
    be a range `FROM..TO`, half-open, either end left out, and of digits a prefix (`33*`); `*` or nothing is any, also absent.
    Of the rows that match, the one with the lowest `priority` is taken (a column; 100 without), then the one with the most
    cells that are not any.
    """

    kind: Literal["price_matrix"]
    columns: Annotated[dict[Code, MatrixColumn], Field(min_length=1, max_length=8)]


class LookupTable(PriceTable):
    """Texts by what a usage says: the zone of a number, the rating group of a service, the country of a network.

    Columns: `key`, read as a cell of a matrix is, `code`, and optionally `start` and `end` of the time in which the row is in
    force. Of digits a key is a prefix, `*` for all; the longest one in force counts. Keys of other kinds do not overlap.
    """

    kind: Literal["lookup_table"]
    key: MatrixColumn
