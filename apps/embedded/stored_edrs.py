"""EDRs that stand in the store, rated and unrated, as arrays, with all that rating them once more needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from apps.embedded.cancel import billionths
from apps.embedded.engine import Engine
from apps.embedded.renewal import packed_unread
from pipelines.spool.lifecycle import Status, decisions
from rating.triggers import Tree
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.edr import EVENT_TYPE_MASK, PACKED_WORDS_VALUED
from schemas.rated_item import WALLET_NONE
from schemas.rejection import BEFORE_RATING, Stage
from schemas.values import VALUE_ABSENT

PAGE_ROWS = 400_000
UNRATED_MAX = 100_000
"""Unrated EDRs that one command looks at."""
STANDS = """(claim, record, branch) NOT IN (SELECT reversed_claim, reversed_record, reversed_branch FROM fact_reversal)
  AND (claim, block) NOT IN (SELECT claim, block FROM fact_reversal)"""
"""The rows of fact_usage that nothing took back, and that take nothing back."""
_RATED = (
    """
SELECT claim, record, branch, item, source, image, account, charge_version, event_type, access_point, subscription,
  toInt64(toUnixTimestamp64Micro(event_at)) AS event_at, toInt64(span_s) AS span_s, quantity, rest, triggered_by,
  trigger, rated_quantity, tier, band, amount, wallet
FROM fact_usage WHERE {where}
  AND (claim, record, branch, item) > ({{claim:UInt32}}, {{record:UInt32}}, {{branch:UInt8}}, {{item:UInt8}})
  AND """
    + STANDS
    + """
ORDER BY claim, record, branch, item LIMIT {page}
"""
)
_GIVEN = tuple(int(reason) for reason in BEFORE_RATING)
_UNRATED = f"""
SELECT f.claim AS claim, f.record AS record, f.branch AS branch, f.source AS source, f.edr AS edr, f.reason AS reason
FROM fact_rejection AS f WHERE f.stage = {int(Stage.ACCOUNT)} AND f.reason NOT IN {_GIVEN} AND {{where}}
  AND (f.claim, f.record, f.branch) IN (
    SELECT claim, record, branch FROM rejection WHERE stage = 'account' AND status IN ('OPEN', 'TO_REPROCESS')
  )
ORDER BY claim, record, branch LIMIT {UNRATED_MAX + 1}
"""


_TAKEN_BACK = """
SELECT claim FROM fact_usage WHERE rated_quantity < 0 AND (claim, block) NOT IN (SELECT claim, block FROM fact_reversal) LIMIT 1
"""


class UnableToReadEdrs(Exception):
    """More is meant than one command can hold."""


@dataclass(frozen=True, slots=True)
class StoredEdrs:
    """EDRs as they stand, n rows: one for each rated item, one for each EDR that is unrated.

    Attributes:
        place: (n,) claim and record in one number. branch: (n,). source: (n,) id.
        item: (n,) which of the EDR's rated items, 0 where it is unrated. quantity: (n,) what of the EDR's quantity it prices.
        triggered_by: (n,) 1 + the item that triggered the usage that the row prices, 0 for none; trigger: (n,) by which of its
            charge's triggers.
        rated: (n,) whether it has a rated item; the columns from `image` to `wallet` say nothing of others.
        reason: (n,) why it is unrated, 0 where it is rated.
        packed: (n, PACKED_WORDS_VALUED) `schemas.edr.pack`; attributes and values are known of unrated ones only,
            others are unread.
    """

    place: Int64Array
    branch: UInt8Array
    item: UInt8Array
    quantity: Int64Array
    triggered_by: UInt8Array
    trigger: UInt8Array
    source: Int32Array
    rated: BoolArray
    reason: UInt16Array
    image: Int32Array
    account: Int32Array
    charge_version: Int32Array
    rated_quantity: Int64Array
    tier: UInt8Array
    band: UInt8Array
    amount: Int64Array
    wallet: Int32Array
    packed: Int64Array

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.place)

    @property
    def event_at(self) -> Int64Array:
        """(n,) microseconds UTC."""
        return self.packed[:, 0]

    @property
    def event_type(self) -> Int64Array:
        """(n,) ids."""
        return self.packed[:, 3] & EVENT_TYPE_MASK

    @property
    def subscription(self) -> Int32Array:
        """(n,) ids."""
        return self.packed[:, 5].astype(np.int32)

    @property
    def edr(self) -> Int64Array:
        """(n,) a number that the rows of one EDR, and only they, have in common: from 0, by place and branch."""
        key = np.stack([self.place, self.branch.astype(np.int64)])
        _, number = np.unique(key, axis=1, return_inverse=True)
        return np.asarray(number, np.int64).reshape(-1)

    @property
    def tree(self) -> Tree:
        """What the rows of EDRs that are there whole, items one after the other, are to each other."""
        return Tree(self.item, self.triggered_by, self.trigger, self.charge_version)

    def take(self, rows: Any) -> StoredEdrs:
        """Return the EDRs at some rows."""
        return StoredEdrs(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


def join(parts: Sequence[StoredEdrs]) -> StoredEdrs:
    """Return the EDRs of all parts, one after the other."""
    return StoredEdrs(
        **{item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(StoredEdrs)}
    )


def first_of_each(edrs: StoredEdrs) -> StoredEdrs:
    """Return every row once, the first ones where one is there several times, in their order."""
    order = np.lexsort((np.arange(len(edrs)), edrs.item, edrs.branch, edrs.place))
    place, branch, item = edrs.place[order], edrs.branch[order], edrs.item[order]
    again = np.zeros(len(edrs), np.bool_)
    again[1:] = (place[1:] == place[:-1]) & (branch[1:] == branch[:-1]) & (item[1:] == item[:-1])
    return edrs.take(np.sort(order[~again]))


def read_rated(engine: Engine, where: str, parameters: Mapping[str, Any], rows_max: int) -> StoredEdrs:
    """Return rated EDRs that stand, by place; `where` is a predicate over fact_usage.

    Raises:
        UnableToReadEdrs: when there are more than `rows_max`.
    """
    pages, at = [_of_usage(engine.store.query(_RATED.format(where=where, page=0), {**parameters, **_START}))], _START
    while True:
        found = engine.store.query(_RATED.format(where=where, page=PAGE_ROWS), {**parameters, **at})
        pages.append(_of_usage(found))
        if sum(map(len, pages)) > rows_max:
            raise UnableToReadEdrs(f"more than {rows_max:,} EDRs are meant: say more closely which")
        if found.num_rows < PAGE_ROWS:
            return join(pages)
        at = {name: found[name][-1].as_py() for name in at}


_START: Mapping[str, int] = {"claim": 0, "record": 0, "branch": 0, "item": 0}


def any_taken_back(engine: Engine) -> bool:
    """Return whether any usage that is stored was taken back, so that counters may stand below zero."""
    return engine.store.query(_TAKEN_BACK).num_rows > 0


def read_unrated(engine: Engine, where: str, parameters: Mapping[str, Any]) -> StoredEdrs:
    """Return unrated EDRs that nobody answered, by place; `where` is a predicate over fact_rejection AS f.

    Raises:
        UnableToReadEdrs: when there are more than UNRATED_MAX.
    """
    found = engine.store.query(_UNRATED.format(where=where), parameters)
    if found.num_rows > UNRATED_MAX:
        raise UnableToReadEdrs(f"more than {UNRATED_MAX:,} EDRs are unrated: replay or discard those that can be first")
    decided = decisions(engine.journal.entries)
    rows = [
        row
        for row in found.to_pylist()
        if decided.status((row["claim"], row["record"], row["branch"])) in (Status.OPEN, Status.TO_REPROCESS)
    ]
    n = len(rows)
    packed = np.full((n, PACKED_WORDS_VALUED), VALUE_ABSENT, np.int64)
    for words, row in zip(packed, rows, strict=True):
        given = np.frombuffer(row["edr"], np.int64)
        words[: len(given)] = given
    column = {name: np.array([row[name] for row in rows], np.int64) for name in ("claim", "record", "source", "reason")}
    none = {name: np.full(n, -1, np.int32) for name in ("image", "account", "charge_version")}
    return StoredEdrs(
        place=column["claim"] << np.int64(32) | column["record"],
        branch=np.array([row["branch"] for row in rows], np.uint8),
        item=np.zeros(n, np.uint8),
        quantity=packed[:, 2].copy(),
        triggered_by=np.zeros(n, np.uint8),
        trigger=np.zeros(n, np.uint8),
        source=column["source"].astype(np.int32),
        rated=np.zeros(n, np.bool_),
        reason=column["reason"].astype(np.uint16),
        rated_quantity=np.zeros(n, np.int64),
        tier=np.zeros(n, np.uint8),
        band=np.zeros(n, np.uint8),
        amount=np.zeros(n, np.int64),
        wallet=np.full(n, WALLET_NONE, np.int32),
        packed=packed,
        **none,
    )


def _of_usage(found: pa.Table) -> StoredEdrs:
    column = {name: found[name].to_numpy() for name in found.column_names if name != "amount"}
    n = found.num_rows
    ids = {name: column[name].astype(np.int32) for name in ("source", "image", "account", "charge_version", "wallet")}
    return StoredEdrs(
        place=column["claim"].astype(np.int64) << np.int64(32) | column["record"].astype(np.int64),
        branch=column["branch"].astype(np.uint8),
        item=column["item"].astype(np.uint8),
        quantity=column["quantity"].astype(np.int64),
        triggered_by=column["triggered_by"].astype(np.uint8),
        trigger=column["trigger"].astype(np.uint8),
        rated=np.ones(n, np.bool_),
        reason=np.zeros(n, np.uint16),
        rated_quantity=column["rated_quantity"].astype(np.int64),
        tier=column["tier"].astype(np.uint8),
        band=column["band"].astype(np.uint8),
        amount=billionths(found["amount"]),
        packed=packed_unread(column),
        **ids,
    )
