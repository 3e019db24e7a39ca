"""Names and the dense ids that arrays and the store use for them.

A vocabulary only grows, and only when a tariff image is activated, which is a record of the log: ids are
therefore a function of the log, the same after every replay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import polars as pl
import pyarrow as pa

from rating.kernels.index import match_hashes
from schemas.arrays import Int32Array, UInt64Array


class NameTable:
    """Append-only names with the ids 0, 1, 2 and so on."""

    def __init__(self, names: pl.Series | None = None) -> None:
        """Start with `names` (unique strings), in the order of their ids."""
        self._names = pl.Series("name", [], pl.String) if names is None else names.cast(pl.String).rename("name")
        self._single: dict[str, int] | None = None

    def __len__(self) -> int:
        """Return how many names are known."""
        return len(self._names)

    @property
    def names(self) -> pl.Series:
        """All names, in the order of their ids."""
        return self._names

    def extend(self, names: pl.Series) -> None:
        """Give ids to the names not yet known, in sorted order: ids do not depend on the order of `names`."""
        given = names.cast(pl.String).rename("name").drop_nulls()
        added = given.filter(self.ids(given) < 0) if len(self._names) else given
        if not (added.is_sorted() and (added == added.shift(1)).any() is False):
            added = added.unique().sort()
        self.append(added)

    def append(self, names: pl.Series) -> None:
        """Give the next ids to names, none of which is known, in the order in which they are given."""
        if len(names):
            if self._single is not None:  # to begin anew would take seconds of ten million names
                self._single.update(zip(names.to_list(), range(len(self), len(self) + len(names)), strict=True))
            self._names = pl.concat([self._names, names])

    def ids(self, names: pl.Series) -> Int32Array:
        """Return (n,) the id of each name, -1 where unknown."""
        asked = names.cast(pl.String).rename("name")
        if asked.equals(self._names):
            return np.arange(len(asked), dtype=np.int32)
        found = np.empty(len(asked), np.int32)
        unambiguous = match_hashes(_hashes(self._names), _hashes(asked), found)
        known = np.flatnonzero(found >= 0)
        # a hash of 64 bits is no proof, the text is
        if unambiguous and asked.gather(known).eq_missing(self._names.gather(found[known])).all():
            return found
        table = self._names.to_frame().with_row_index("id")
        joined = asked.to_frame().join(table, on="name", how="left", maintain_order="left")
        return np.ascontiguousarray(joined.get_column("id").cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int32))

    def id(self, name: str) -> int:
        """Return the id of one name, -1 when unknown."""
        if self._single is None:
            self._single = {known: index for index, known in enumerate(self._names.to_list())}
        return self._single.get(name, -1)

    def name(self, index: int) -> str:
        """Return the name with this id.

        Raises:
            IndexError: when no name has it.
        """
        if not 0 <= index < len(self._names):
            raise IndexError(f"no name has id {index}")
        return str(self._names[index])


def _hashes(names: pl.Series) -> UInt64Array:
    return np.array(names.hash().to_numpy(), np.uint64)


def _with_blank() -> NameTable:
    return NameTable(pl.Series("name", [""], pl.String))


Counts = dict[str, int]
"""Name table -> how many names."""
Names = dict[str, pl.Series]
"""Name table -> names in the order of their ids."""


@dataclass
class Vocabulary:
    """Every name table of one installation.

    Attributes:
        event_types: event type codes.
        attribute_values: values that charges filter on; id 0 is "" (absent, or a value no charge names).
        charge_versions: "charge/plan@START#HASH": a charge priced by the version of its plan that starts at
            START (UTC, ISO 8601) and whose content hashes to HASH (8 hex digits); a changed price is another
            name, hence another id. Of those that price in units, "#" and the unit follow; of those that are
            converted, "*", both currencies and the rate: "*USD/EUR@0.92".
        sources, accounts, subscriptions, access_points: their codes.
        wallets: "account/wallet".
        counters: "subscription/counter", and of shared ones "account/ACCOUNT/counter" or "group/GROUP/counter": one slot of
            counter state each.
        accumulators: the same of counters that price nothing; where they count by values, "=" and the value follow, "=*" of
            all others; of those of amounts, "#" and the currency.
        currencies: ISO 4217 codes.
        images: content hashes of the activated tariff images, in order of activation.
    """

    event_types: NameTable = field(default_factory=NameTable)
    attribute_values: NameTable = field(default_factory=_with_blank)
    charge_versions: NameTable = field(default_factory=NameTable)
    sources: NameTable = field(default_factory=NameTable)
    accounts: NameTable = field(default_factory=NameTable)
    subscriptions: NameTable = field(default_factory=NameTable)
    access_points: NameTable = field(default_factory=NameTable)
    wallets: NameTable = field(default_factory=NameTable)
    counters: NameTable = field(default_factory=NameTable)
    accumulators: NameTable = field(default_factory=NameTable)
    currencies: NameTable = field(default_factory=NameTable)
    images: NameTable = field(default_factory=NameTable)

    def copied(self) -> Vocabulary:
        """Return the names as of now; tables only ever grow, so none is copied."""
        return Vocabulary(**{kind: NameTable(table.names) for kind, table in self.tables().items()})

    def tables(self) -> dict[str, NameTable]:
        """Return each table by what it names."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def counts(self) -> Counts:
        """Return how many names each table has."""
        return {kind: len(table) for kind, table in self.tables().items()}

    def beyond(self, counts: Counts) -> Names:
        """Return the names that came after so many."""
        return {kind: table.names.slice(counts[kind]) for kind, table in self.tables().items()}

    def append(self, names: Names) -> None:
        """Give the next ids to names, in their order; none of them is known."""
        for kind, table in self.tables().items():
            table.append(names[kind])

    @classmethod
    def from_tables(cls, tables: dict[str, pa.Table]) -> Vocabulary:
        """Return that of Arrow tables with one column `name`, perhaps of a release that did not know all kinds of names."""
        series = {name: pl.Series("name", pl.from_arrow(table)["name"]) for name, table in tables.items()}  # type: ignore[index]
        return cls(**{item.name: NameTable(series[item.name]) for item in fields(cls) if item.name in series})
