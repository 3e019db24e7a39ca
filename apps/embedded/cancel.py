"""Withdrawing EDRs: complete commands are read from the store at a cut, kept in the archive, and journaled as one entry."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from apps.embedded.engine import Engine
from apps.embedded.images import ActiveImage, recompile
from apps.embedded.renewal import packed_unread, said_then
from pipelines.resource.neighbours import dated, near_midnight
from pipelines.snapshot import StageState
from pipelines.spool.family import moves_of
from pipelines.spool.files import durable_file
from pipelines.spool.lifecycle import Decisions, Place, Status
from rating.accumulate import find_growths
from rating.reversal import find_counters
from rating.triggers import Tree
from schemas.arrays import BoolArray, Int64Array, UInt64Array
from schemas.cancellation import CANCELLATION_SCHEMA, CancelledKind
from schemas.cdr import CdrBlock
from schemas.rated_item import Growths
from schemas.rejection import Stage
from schemas.source import SourceBase

_ITEMS = """
SELECT record, branch, item, image, account, charge_version, toInt64(toUnixTimestamp64Micro(event_at)) AS event_at, event_type,
  access_point, subscription, toInt64(span_s) AS span_s, quantity, rest, triggered_by, trigger, rated_quantity, tier, band,
  amount, wallet
FROM fact_usage WHERE claim = {claim:UInt32} AND block = {block:UInt32} AND (claim, record, branch) NOT IN (
  SELECT reversed_claim, reversed_record, reversed_branch FROM fact_reversal WHERE reversed_claim = {claim:UInt32}
) AND (claim, block) NOT IN (SELECT claim, block FROM fact_reversal WHERE claim = {claim:UInt32})
ORDER BY record, branch, item
"""
_PARTS = """
SELECT record, branch, item, wallet, -amount AS amount FROM fact_wallet_operation
WHERE claim = {claim:UInt32} AND block = {block:UInt32} AND kind = 0 ORDER BY record, branch, item, part
"""
_UNRATED = f"""
SELECT record, branch FROM fact_rejection
WHERE claim = {{claim:UInt32}} AND block = {{block:UInt32}} AND stage = {int(Stage.ACCOUNT)} ORDER BY record, branch
"""
_RERATED = """
SELECT DISTINCT reversed_record AS record, reversed_branch AS branch FROM fact_reversal
WHERE reversed_claim = {claim:UInt32} AND cause = 'rerated' AND (reversed_record, reversed_branch) IN (
  SELECT record, branch FROM fact_usage WHERE claim = {claim:UInt32} AND block = {block:UInt32}
) ORDER BY record, branch
"""
_REVERSED = """
SELECT DISTINCT reversed_claim, reversed_record, reversed_branch FROM fact_reversal WHERE reversed_claim IN ({claims})
"""
_BLOCKS = """
SELECT block, first_record FROM fact_block WHERE claim = {claim:UInt32} AND edrs > 0 AND reversal_rows = 0 AND cancelled = 0
ORDER BY first_record, block
"""

_GROWN = ("slot", "period", "by")


@dataclass(frozen=True, slots=True)
class Keys:
    """Identities of the records of a block, by record number ascending: (n,) each; `at`: an instant of the day of each."""

    record: Int64Array
    hi: UInt64Array
    lo: UInt64Array
    at: Int64Array


def keys_in(cdrs: CdrBlock, rows: Int64Array, source: SourceBase, state: StageState) -> Keys:
    """Return the identities of some records of a block, on the days on which they are held."""
    hi, lo, at = cdrs.key_hi[rows], cdrs.key_lo[rows], cdrs.event_at[rows]
    if source.tolerance_us:
        near = near_midnight(hi, lo, at, np.ones(len(rows), np.bool_), source.tolerance_us)
        at = dated(state.resource.dedup, hi, lo, at, near)
    return Keys(cdrs.record[rows], hi, lo, at)


def midnight_keys_in(cdrs: CdrBlock, rows: Int64Array, source: SourceBase) -> Keys:
    """Return the midnight keys of some records of a block; none where the source has no tolerance."""
    if not source.tolerance_us:
        return NO_KEYS
    hi, lo, at = cdrs.key_hi[rows], cdrs.key_lo[rows], cdrs.event_at[rows]
    near = near_midnight(hi, lo, at, np.ones(len(rows), np.bool_), source.tolerance_us)
    return Keys(cdrs.record[rows][near.row], near.hi, near.lo, near.midnight_at)


NO_KEYS = Keys(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))


@dataclass(slots=True)
class Tally:
    """What a withdrawal takes back, for people.

    Attributes:
        items, unrated: EDRs. amounts: (charge version, currency) -> items and billionths. accounts: ids touched.
        counters_left: items whose counter cannot be lowered, because its period is no longer kept.
    """

    items: int = 0
    unrated: int = 0
    amounts: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    accounts: set[int] = field(default_factory=set)
    counters_left: int = 0


@dataclass(slots=True)
class Withdrawal:
    """Reads what stands of claims, block by block, as rows of CANCELLATION_SCHEMA."""

    engine: Engine
    decisions: Decisions
    tally: Tally = field(default_factory=Tally)
    _images: dict[str, ActiveImage] = field(default_factory=dict)

    def image(self, content_hash: str) -> ActiveImage:
        """Return an image that was in force."""
        engine = self.engine
        if engine.active is not None and content_hash == engine.state.image:
            return engine.active
        if content_hash not in self._images:
            self._images[content_hash] = recompile(engine.directory, content_hash, engine.state)
        return self._images[content_hash]

    def blocks(self, claim: int, records: Int64Array | None = None) -> list[int]:
        """Return the blocks of a claim that made EDRs, those that hold some of `records` only unless None."""
        rows = self.engine.store.query(_BLOCKS, {"claim": claim}).to_pylist()
        if records is None or not rows:
            return [row["block"] for row in rows]
        first = np.array([row["first_record"] for row in rows], np.int64)
        place = np.searchsorted(first, records, side="right") - 1
        return [rows[index]["block"] for index in np.unique(place[place >= 0]).tolist()]

    def commands(self, claim: int, block: int, keys: Keys, wanted: set[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield what withdraws the EDRs that stand of a block, those of records `wanted` only unless None.

        Rows that `keys` knows release their key. The counters are those of now.
        """
        place = {"claim": claim, "block": block}
        items = _only(self.engine.store.query(_ITEMS, place), wanted)
        if items.num_rows:
            yield self._rated(claim, items, _only(self.engine.store.query(_PARTS, place), wanted), keys)
        unrated = self._unrated(claim, _only(self.engine.store.query(_UNRATED, place), wanted), keys)
        if unrated.num_rows:
            yield unrated
        if len(keys.record):
            again = self._rerated(claim, _only(self.engine.store.query(_RERATED, place), wanted), keys)
            if again.num_rows:
                yield again

    def _rated(self, claim: int, items: pa.Table, parts: pa.Table, keys: Keys) -> pa.RecordBatch:
        state = self.engine.state
        column = {name: items[name].to_numpy() for name in items.column_names if name != "amount"}
        amount = billionths(items["amount"])
        image = self.image(state.vocabulary.images.name(int(column["image"][0])))
        subscription, version = column["subscription"].astype(np.int32), column["charge_version"].astype(np.int32)
        slot, cell, period = find_counters(column["event_at"], subscription, version, image.image.tariff)
        currency = image.image.currencies(column["account"].astype(np.int32), version)
        # those of items that were taken back before are not theirs
        parts = parts.filter(pa.array(np.isin(_place(parts), _place(items))))
        split_ptr = np.searchsorted(_place(parts), np.append(_place(items), np.iinfo(np.int64).max)).astype(np.int32)
        counted = np.flatnonzero(slot >= 0)
        kept = state.account.counter_period[slot[counted], cell[counted]] == period[counted]
        place = claim << 32 | column["record"].astype(np.int64)
        tree = Tree(column["item"], column["triggered_by"], column["trigger"], version)
        self._count(column["account"], version, currency, amount, int(np.count_nonzero(~kept)))
        return command_batch(
            claim,
            CancelledKind.RATED,
            column["record"],
            column["branch"],
            keys,
            {
                **column,
                "amount": amount,
                "currency": currency,
                "counter_slot": slot,
                "counter_cell": cell,
                "counter_period": period,
            },
            (split_ptr, parts["wallet"].to_numpy(), billionths(parts["amount"])),
            find_growths(
                np.arange(len(amount)),
                column["event_at"],
                subscription,
                version,
                column["rated_quantity"],
                amount,
                said_then(self.engine, place, packed_unread(column), tree, image),
                image.image,
            ),
        )

    def _unrated(self, claim: int, rows: pa.Table, keys: Keys) -> pa.RecordBatch:
        record, branch = rows["record"].to_numpy(), rows["branch"].to_numpy()
        places = [(claim, *place) for place in zip(record.tolist(), branch.tolist(), strict=True)]
        status = [self.decisions.status(place) for place in places]
        gone = self._gone({place for place, found in zip(places, status, strict=True) if found is Status.REPLAYED})
        kind = np.array(
            [CancelledKind.KEY if found is Status.REPLAYED else CancelledKind.UNRATED for found in status], np.uint8
        )
        stands = np.array(
            [found is not Status.CANCELLED and place not in gone for place, found in zip(places, status, strict=True)],
            np.bool_,
        )
        self.tally.unrated += int(np.count_nonzero(stands & (kind == CancelledKind.UNRATED)))
        return command_batch(claim, kind[stands], record[stands], branch[stands], keys, {}, None)

    def _rerated(self, claim: int, rows: pa.Table, keys: Keys) -> pa.RecordBatch:
        """Return what releases the keys of EDRs that were rated again, and stand elsewhere."""
        record, branch = rows["record"].to_numpy(), rows["branch"].to_numpy()
        places = [(claim, *place) for place in zip(record.tolist(), branch.tolist(), strict=True)]
        gone = self._gone(set(places))
        stands = np.array([place not in gone for place in places], np.bool_)
        return command_batch(claim, CancelledKind.KEY, record[stands], branch[stands], keys, {}, None)

    def _gone(self, places: set[Place]) -> set[Place]:
        """Return which EDRs that were tried or rated again are withdrawn by now: others may hold their keys."""
        if not places:
            return places
        moved = dict(moves_of(self.engine.journal.entries, self.engine.replaced, {place[:2] for place in places}))
        latest = {}
        for place in places:
            at = place
            while at in moved:
                at = (*moved[at], place[2])
            latest[place] = at
        claims = ", ".join(str(claim) for claim in sorted({at[0] for at in latest.values()}))
        found = self.engine.store.query(_REVERSED.format(claims=claims))
        withdrawn = set(zip(*(found[name].to_pylist() for name in found.column_names), strict=True))
        return {
            place for place, at in latest.items() if at in withdrawn or self.decisions.status(at) is Status.CANCELLED
        }

    def _count(self, account: Int64Array, version: Any, currency: Any, amount: Int64Array, left: int) -> None:
        tally = self.tally
        tally.items += len(amount)
        tally.accounts.update(np.unique(account).tolist())
        tally.counters_left += left
        for pair in {*zip(version.tolist(), currency.tolist(), strict=True)}:
            rows: BoolArray = (version == pair[0]) & (currency == pair[1])
            items, money = tally.amounts.get(pair, (0, 0))
            tally.amounts[pair] = items + int(rows.sum()), money + sum(amount[rows].tolist())


def key_batch(claim: int, keys: Keys, kind: CancelledKind = CancelledKind.KEY) -> pa.RecordBatch:
    """Return commands that let records of a claim come again, or be as never seen (VERSION), and withdraw nothing."""
    return command_batch(claim, kind, keys.record, np.zeros(len(keys.record), np.uint8), keys, {}, None)


def write_commands(path: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema = CANCELLATION_SCHEMA) -> int:
    """Keep commands in the archive, whole or not at all; return how many rows they have."""
    rows = 0
    with durable_file(path) as handle, pa.ipc.new_file(cast(io.IOBase, handle), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _only(rows: pa.Table, wanted: set[int] | None) -> pa.Table:
    rows = rows.combine_chunks()
    if wanted is None or not rows.num_rows:
        return rows
    return rows.filter(pa.array(np.isin(rows["record"].to_numpy(), list(wanted))))


def _place(rows: pa.Table) -> Int64Array:
    """Return (n,) record, branch and item as one number that sorts like all of them."""
    record, branch, item = (rows[name].to_numpy().astype(np.int64) for name in ("record", "branch", "item"))
    place: Int64Array = (record * 256 + branch) * 256 + item
    return place


def billionths(column: Any) -> Int64Array:
    """Return (n,) int64 of a decimal column of scale 9 whose values fit."""
    words = [
        np.frombuffer(chunk.buffers()[1], np.int64).reshape(-1, 2)[chunk.offset : chunk.offset + len(chunk), 0]
        for chunk in column.cast(pa.decimal128(38, 9)).chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros(0, np.int64), *words])


def command_batch(
    claim: int | Int64Array,
    kind: Any,
    record: Any,
    branch: Any,
    keys: Keys,
    given: Mapping[str, Any],
    parts: tuple[Any, Any, Any] | None,
    growths: Growths | None = None,
) -> pa.RecordBatch:
    """Return commands of one kind or one kind each: `given` are their columns as far as they are known.

    Args:
        claim: of all of them, or (n,). parts: of items that several wallets paid, (ptr, wallet, amount); None for none.
        growths: what the items added to accumulators.
    """
    n = len(record)
    empty = {"counter_slot": -1, "counter_period": -1, "wallet": -2}
    columns: dict[str, Any] = {"kind": np.broadcast_to(kind, n), "claim": np.full(n, claim), "record": record}
    columns |= {"branch": branch, **given}
    columns["key_hi"], columns["key_lo"], columns["key_at"] = _keys_of(record, keys)
    nothing = np.zeros(n + 1, np.int32)
    ptr, wallets, amounts = parts if parts is not None else (nothing, [], [])
    lists = {"split_wallet": (ptr, wallets), "split_amount": (ptr, amounts)}
    grown = nothing if growths is None else np.searchsorted(growths.row, np.arange(n + 1)).astype(np.int32)
    lists |= {f"grown_{name}": (grown, [] if growths is None else getattr(growths, name)) for name in _GROWN}
    arrays = []
    for item in CANCELLATION_SCHEMA:
        if item.name in lists:
            begins, of = lists[item.name]
            values = pa.array(of, item.type.value_type)
            arrays.append(pa.ListArray.from_arrays(pa.array(begins, pa.int32()), values, type=item.type))
        else:
            values = columns[item.name] if item.name in columns else np.full(n, empty.get(item.name, 0))
            arrays.append(pa.array(np.ascontiguousarray(values)).cast(item.type))
    return pa.RecordBatch.from_arrays(arrays, schema=CANCELLATION_SCHEMA)


def _keys_of(record: Any, keys: Keys) -> tuple[UInt64Array, UInt64Array, Int64Array]:
    n = len(record)
    hi, lo, at = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.int64)
    if len(keys.record) and n:
        index = np.minimum(np.searchsorted(keys.record, record), len(keys.record) - 1)
        known = keys.record[index] == record
        hi[known], lo[known], at[known] = keys.hi[index[known]], keys.lo[index[known]], keys.at[index[known]]
    return hi, lo, at
