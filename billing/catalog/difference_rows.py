"""The difference between two frames of rows: how many came, went and changed, with the first of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from schemas.catalog import TIME_MAX, TIME_MIN

EXAMPLES_MAX = 5
PAIRS_MAX = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRICE_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Moved:
    """A column of changed rows: how many went from one value to another, and the first of them."""

    column: str
    old: str
    new: str
    rows: int
    examples: list[str]


@dataclass(frozen=True, slots=True)
class RowChange:
    """What became of the rows of one kind.

    Attributes:
        kind: what they are. code: of a price table, its code. added, removed, changed: how many rows.
        added_first, removed_first: what names the first ones. moved: for changed ones, the commonest changes.
        moves: how many different changes there are.
    """

    kind: str
    code: str
    added: int
    removed: int
    changed: int
    added_first: list[str]
    removed_first: list[str]
    moved: list[Moved] = field(default_factory=list)
    moves: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            **{name: getattr(self, name) for name in self.__slots__ if name not in ("moved", "moves")},
            "moved": [{name: getattr(one, name) for name in one.__slots__} for one in self.moved],
            "moves": self.moves,
        }

    def lines(self) -> Iterator[str]:
        """Yield everything in words."""
        name = f"{self.kind} {self.code}".strip()
        told = [(self.added, "added"), (self.removed, "removed"), (self.changed, "changed")]
        yield f"{name}: " + ", ".join(f"{number:,} {word}" for number, word in told if number)
        for first, number, word in (
            (self.added_first, self.added, "added"),
            (self.removed_first, self.removed, "removed"),
        ):
            if first:
                yield f"  {word}: {_named(first, number)}"
        for one in self.moved:
            yield f"  {one.column} {one.old or 'none'} → {one.new or 'none'}: {_named(one.examples, one.rows)}"
        if self.moves > len(self.moved):
            yield f"  and {self.moves - len(self.moved):,} other changes"


def _named(first: list[str], number: int) -> str:
    more = f" and {number - len(first):,} more" if number > len(first) else ""
    return f"{', '.join(first)}{more}"


def different_rows(
    kind: str, code: str, old: pl.DataFrame, new: pl.DataFrame, key: Sequence[str]
) -> Iterator[RowChange]:
    """Yield what became of rows that `key` names; nothing when they are the same. Both frames have the same columns.

    Rows of one name are told apart by their order.
    """
    if old.equals(new):
        return
    names = [*key, _PLACE]
    before, after = (
        frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over(key).alias(_PLACE)) for frame in (old, new)
    )
    added = after.join(before, on=names, how="anti", nulls_equal=True, maintain_order="left")
    removed = before.join(after, on=names, how="anti", nulls_equal=True, maintain_order="left")
    values = [name for name in old.columns if name not in key]
    both = after.join(before, on=names, how="inner", suffix=_OLD, nulls_equal=True, maintain_order="left")
    differs = pl.any_horizontal([pl.col(name).ne_missing(pl.col(name + _OLD)) for name in values]) if values else False
    changed = both.filter(differs)
    moves = [_moves(changed, name, key) for name in values]
    moved = sorted((one for found, _ in moves for one in found), key=lambda one: -one.rows)
    if added.height or removed.height or changed.height:
        yield RowChange(
            kind, code, added.height, removed.height, changed.height, _first(added, key), _first(removed, key),
            moved[:PAIRS_MAX], sum(count for _, count in moves),
        )  # fmt: skip


_PLACE, _OLD, _COUNT = "(place)", "(old)", "(count)"
"""Columns that no frame has."""


def _moves(changed: pl.DataFrame, name: str, key: Sequence[str]) -> tuple[list[Moved], int]:
    """Return the commonest changes of one column, and how many different ones there are."""
    old = name + _OLD
    some = changed.filter(pl.col(name).ne_missing(pl.col(old)))
    groups = (
        some.group_by(old, name, maintain_order=True).len(_COUNT).sort(_COUNT, descending=True, maintain_order=True)
    )
    found = []
    for before, after, rows in groups.head(PAIRS_MAX).iter_rows():
        of = some.filter(pl.col(name).eq_missing(after) & pl.col(old).eq_missing(before))
        found.append(Moved(name, value_text(name, before), value_text(name, after), rows, _first(of, key)))
    return found, groups.height


def _first(rows: pl.DataFrame, key: Sequence[str]) -> list[str]:
    texts = []
    for row in rows.head(EXAMPLES_MAX).iter_rows(named=True):
        parts = [value_text(name, row[name]) for name in key]
        texts.append(" ".join(part for part in parts if part) or "*")
    return texts


def value_text(column: str, value: Any) -> str:
    """Return a value of a frame as people write it: instants, prices and balances; empty for none."""
    if value is None or value in (TIME_MIN, TIME_MAX):
        return ""
    if column.endswith("_at") or column == "at":
        return (_EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
    if column.startswith("price.") or column == "connection_fee":
        return _short(Decimal(value).scaleb(-_PRICE_DECIMALS))
    if column in ("opening_balance", "overdraft"):
        return _short(Decimal(value).scaleb(-9))
    return str(value)


def _short(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
