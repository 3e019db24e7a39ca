"""Rating again what was rated: planned outside the stages at a cut, journaled as one entry, applied as cancel-and-replace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from apps.embedded.cancel import NO_KEYS, Withdrawal, billionths, command_batch, write_commands
from apps.embedded.engine import Engine
from apps.embedded.files import sha256_of
from apps.embedded.images import ActiveImage
from apps.embedded.renewal import said_then
from apps.embedded.rerate_deltas import deltas_of
from apps.embedded.rerate_scope import Scope, ScopeReader, UsageSelection, edr_block
from apps.embedded.retried import EDRS_PER_BLOCK
from apps.embedded.stored_edrs import StoredEdrs, any_taken_back
from pipelines.spool.family import RECORD
from pipelines.spool.journal import Refusal, Rerate, refusal
from pipelines.spool.lifecycle import decisions
from rating.accumulate import find_growths
from rating.history import begin
from rating.kernels.layout import ACCOUNT, POSTPAID, WALLET_COUNT
from rating.periods import NO_CELL, components
from rating.rate import account_of, rate
from rating.reversal import RatedItems, UnableToReverse, find_counters, reverse
from rating.state import AccountState
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.cancellation import CancelledKind
from schemas.edr import EdrBlock
from schemas.rated_item import WALLET_SPLIT, RatedBlock, usage_of
from schemas.rerating import EDR_BYTES, NOT_REVERSED, RERATING_SCHEMA

CLAIMS_ASKED_MAX = 10_000
_PARTS = """
SELECT claim, record, branch, item, wallet, -amount AS amount FROM fact_wallet_operation
WHERE kind = 0 AND claim IN ({claims}) ORDER BY claim, record, branch, item, part
"""


class UnableToRerate(Exception):
    """Usage cannot be rated again; nothing changed."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of items that several wallets paid: those of item i are ptr[i] .. ptr[i + 1]."""

    ptr: Int64Array
    wallet: Int32Array
    amount: Int64Array

    def take(self, rows: Int64Array) -> Parts:
        """Return the parts of some items."""
        count = np.diff(self.ptr)[rows]
        ptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(count, out=ptr[1:])
        place = np.repeat(self.ptr[rows] - ptr[:-1], count) + np.arange(ptr[-1])
        return Parts(ptr, self.wallet[place], self.amount[place])


@dataclass(frozen=True, slots=True)
class Plan:
    """What rating some usage again comes to, at a cut of the log.

    Attributes:
        reader: of the scope, with the image that prices it. scope: the n rows of e EDRs, in the order of events.
        first: (e,) the first row of each EDR. parts: of the items as they stand.
        rated: (m,) how they are rated now. of: (m,) of which EDR each of those rows is. usage: (m,) what each prices.
        changed: (e,) whether a price, what it is for, or who pays it is another one, or it has none any more, or has one now.
        taken: (e,) whether it is replaced: with one EDR go all that its price depends on, or that depend on it.
        billed: (n,) whether an invoice holds the item that is replaced: it is refunded, by an item for the next invoice.
    """

    reader: ScopeReader
    scope: Scope
    first: Int64Array
    parts: Parts
    rated: RatedBlock
    of: Int64Array
    usage: EdrBlock
    changed: BoolArray
    taken: BoolArray
    billed: BoolArray

    @property
    def edr(self) -> Int64Array:
        """(n,) of which EDR each row of the scope is."""
        return _numbers(self.first, len(self.scope.edrs))

    @property
    def account(self) -> Int32Array:
        """(m,) who pays each row that there is now."""
        return account_of(self.usage, self.reader.image.image)

    @property
    def rated_now(self) -> BoolArray:
        """(e,) whether each EDR has a price now."""
        found = np.zeros(len(self.first), np.bool_)
        found[self.of[self.rated.reason == 0]] = True
        return found


def rerate(
    engine: Engine,
    selection: UsageSelection,
    reason: str,
    *,
    preview: bool,
    image: str | None = None,
    expect: int | None = None,
    csv: str | None = None,
) -> dict[str, Any]:
    """Rate usage again by the image in force, or another one that was; or say what that would do.

    Args:
        expect: the latest entry of the log that a preview has seen; when there are others by now, nothing is done.
        csv: where to write every account with what it is charged before and after, None for nowhere.

    Raises:
        UnableToSelect, UnableToReadEdrs: when it is not known which usage is meant, or it is too much.
        UnableToRerate: when there is no reason, no such image, the log went on, the account state cannot give back what is
            stored.
        UnableToReadArchive: when a file that usage is read from again is gone. OSError: when the CSV cannot be written.
    """
    if not preview and not reason.strip():
        raise UnableToRerate("rating again needs a reason")
    engine.flush()
    latest = engine.journal.next_claim - 1
    if expect is not None and expect != latest:
        raise UnableToRerate(f"the log went on from entry {expect} to {latest}: look at a preview again")
    plan = plan_rerating(engine, selection, image)
    result = deltas_of(engine, plan, csv) | {"after": latest, "entry": 0}
    if preview or not plan.taken.any():
        return result
    return result | {"entry": _journal(engine, plan, reason.strip(), latest)}


def plan_rerating(engine: Engine, selection: UsageSelection, image: str | None) -> Plan:
    """Return what rating usage again comes to; nothing changes. Raises as `rerate` does."""
    withdrawal = Withdrawal(engine, decisions(engine.journal.entries))
    active = _image(engine, withdrawal, image)
    reader = ScopeReader(engine, active, withdrawal)
    scope = reader.read(selection)
    edrs = scope.edrs
    parts = _parts(engine, edrs)
    state = AccountState.from_arrays(engine.state.account.to_arrays())
    standing = np.flatnonzero(edrs.rated)
    try:
        items = _items(reader, edrs.take(standing), parts.take(standing))
        reverse(items, state, below_zero=any_taken_back(engine))
    except UnableToReverse as error:
        raise UnableToRerate(f"state and store do not agree: {error}; restore both from one backup") from error
    first = np.flatnonzero(edrs.item == 0)
    whole = edrs.take(first)
    block = edr_block(whole)
    rated = rate(block, active.image, begin(state))
    of = np.arange(len(first)) if rated.items is None else rated.items.row
    usage = usage_of(block, rated.items)
    nothing: BoolArray = np.zeros(len(first), np.bool_)
    plan = Plan(reader, scope, first, parts, rated, of, usage, nothing, nothing, np.zeros(len(edrs), np.bool_))
    changed = _changed(plan)
    label = _together(plan, active)
    touched = np.zeros(len(label), np.bool_)
    touched[label[changed]] = True
    taken = touched[label] & (whole.rated | plan.rated_now)
    return replace(plan, changed=changed, taken=taken, billed=_billed(engine, edrs) & taken[plan.edr])


def _numbers(first: Int64Array, rows: int) -> Int64Array:
    """Return (rows,) of which EDR each row is, counted from 0, where (e,) are the first rows of the EDRs."""
    starts = np.zeros(rows, np.int64)
    starts[first] = 1
    return np.cumsum(starts) - 1


def _together(plan: Plan, active: ActiveImage) -> Int64Array:
    """Return (e,) a label for each EDR: those whose prices may depend on each other have the same one.

    The elements are the rows of the scope, then the items that there would be; one group holds those of an EDR together.
    """
    edrs, cells = plan.scope.edrs, plan.scope.cells
    number = np.empty(len(plan.first), np.int64)
    number[edrs.edr[plan.first]] = np.arange(len(plan.first))  # `cells` counts EDRs as the scope does
    nothing = [np.full(len(part), NO_CELL, np.int64) for part in (cells.old, cells.new)]
    groups = [
        np.concatenate([plan.edr, number[cells.of]]),
        np.concatenate([cells.old, nothing[1]]),
        np.concatenate([nothing[0], cells.new]),
        *_purses(active, edrs, cells.payer),
    ]
    label = components(groups, len(cells.old) + len(cells.new))
    _, found = np.unique(label[plan.first], return_inverse=True)
    return np.asarray(found, np.int64)


def _image(engine: Engine, withdrawal: Withdrawal, wanted: str | None) -> ActiveImage:
    if engine.active is None:
        raise UnableToRerate("no catalog was ever in force, so nothing was rated")
    if wanted is None:
        return engine.active
    found = [name for name in engine.state.vocabulary.images.names.to_list() if name.startswith(wanted)]
    if len(found) != 1:
        known = "several images begin with" if found else "no image that was in force begins with"
        raise UnableToRerate(f"{known} {wanted}; `octroi catalog list` shows them")
    return withdrawal.image(found[0])


def _purses(active: ActiveImage, edrs: StoredEdrs, payer: Int32Array) -> Iterator[Int64Array]:
    """Yield (n + k,) the accounts, before and after, in which what one item takes may be what another one lacks, else -1.

    Args:
        payer: (k,) who pays each item that there would be.
    """
    rows = active.image.tariff.subscription_row
    simple = (rows[:, WALLET_COUNT] == 1) & (rows[:, POSTPAID] != 0)
    narrow = np.ones(int(max(rows[:, ACCOUNT].max(initial=-1), edrs.account.max(initial=-1))) + 1, np.bool_)
    narrow[rows[simple & (rows[:, ACCOUNT] >= 0), ACCOUNT]] = False
    purse = np.arange(len(narrow))
    sharing = np.flatnonzero(active.image.sharing[: len(narrow)])  # they are one charge group
    purse[sharing] = active.image.charge_group[sharing]
    for of in (np.where(edrs.rated, edrs.account, -1), rows[edrs.subscription, ACCOUNT]):
        of = np.concatenate([of, payer])
        yield np.where((of >= 0) & narrow[of], purse[of], -1).astype(np.int64)


def _changed(plan: Plan) -> BoolArray:
    """Return (e,) which EDRs have other items than before, or none any more, or some now."""
    edrs, rated, parts = plan.scope.edrs, plan.rated, plan.parts
    before, after = np.flatnonzero(edrs.rated), np.flatnonzero(rated.reason == 0)
    old_edr, new_edr = plan.edr[before], plan.of[after]
    count = len(plan.first)
    changed: BoolArray = np.bincount(old_edr, minlength=count) != np.bincount(new_edr, minlength=count)
    # of EDRs with as many items as before, both sides have their items in the same order
    old, new = before[~changed[old_edr]], after[~changed[new_edr]]
    edr = plan.edr[old]
    differs: BoolArray = (
        (edrs.charge_version[old] != rated.charge_version[new])
        | (edrs.quantity[old] != plan.usage.quantity[new])
        | (edrs.subscription[old] != plan.usage.subscription[new])
        | (edrs.rated_quantity[old] != rated.rated_quantity[new])
        | (edrs.amount[old] != rated.amount[new])
        | (edrs.wallet[old] != rated.wallet[new])
        | (edrs.account[old] != plan.account[new])
    )
    triggered = None if rated.items is None else rated.items.triggered
    by, trigger = (0, 0) if triggered is None else (triggered.by[new], triggered.trigger[new])
    differs |= (edrs.triggered_by[old] != by) | (edrs.trigger[old] != trigger)
    for place in np.flatnonzero(~differs & (edrs.wallet[old] == WALLET_SPLIT)).tolist():
        was = slice(parts.ptr[old[place]], parts.ptr[old[place] + 1])
        now = slice(*np.searchsorted(rated.split_row, [new[place], new[place] + 1]))
        differs[place] = not (
            np.array_equal(parts.wallet[was], rated.split_wallet[now])
            and np.array_equal(parts.amount[was], rated.split_amount[now])
        )
    changed[edr[differs]] = True
    return changed


# ---- what stands


def _parts(engine: Engine, edrs: StoredEdrs) -> Parts:
    """Return the parts of all items that several wallets paid."""
    split = np.flatnonzero(edrs.wallet == WALLET_SPLIT)
    claims = np.unique(edrs.place[split] >> 32).tolist()
    found: dict[tuple[int, int, int, int], list[tuple[int, int]]] = {}
    for first in range(0, len(claims), CLAIMS_ASKED_MAX):
        some = ", ".join(map(str, claims[first : first + CLAIMS_ASKED_MAX]))
        table = engine.store.query(_PARTS.format(claims=some))
        names = ("claim", "record", "branch", "item")
        places = zip(*(table[name].to_pylist() for name in names), strict=True)
        amounts = billionths(table["amount"]).tolist()
        for item, wallet, amount in zip(places, table["wallet"].to_numpy().tolist(), amounts, strict=True):
            found.setdefault(item, []).append((wallet, amount))
    count = np.zeros(len(edrs), np.int64)
    all_parts: list[tuple[int, int]] = []
    for row in split.tolist():
        place = int(edrs.place[row])
        of = found[place >> 32, place & RECORD, int(edrs.branch[row]), int(edrs.item[row])]
        count[row] = len(of)
        all_parts += of
    ptr = np.zeros(len(edrs) + 1, np.int64)
    np.cumsum(count, out=ptr[1:])
    wallets, drawn = ([part[index] for part in all_parts] for index in (0, 1))
    return Parts(ptr, np.array(wallets, np.int32), np.array(drawn, np.int64))


def _counters(reader: ScopeReader, edrs: StoredEdrs) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return (slot, cell, period) of what counters rated items consumed, each (n,)."""
    found = np.full((3, len(edrs)), -1, np.int32)
    for image in np.unique(edrs.image).tolist():
        rows = np.flatnonzero(edrs.image == image)
        some = edrs.take(rows)
        tariff = reader.tariff(image).image.tariff
        found[:, rows] = find_counters(some.event_at.copy(), some.subscription, some.charge_version, tariff)
    return found[0], found[1], found[2]


def _items(reader: ScopeReader, edrs: StoredEdrs, parts: Parts) -> RatedItems:
    slot, cell, period = _counters(reader, edrs)
    return RatedItems(
        edrs.rated_quantity, edrs.amount, edrs.wallet, slot, cell, period, parts.ptr, parts.wallet, parts.amount
    )


def _billed(engine: Engine, edrs: StoredEdrs) -> BoolArray:
    """Return (n,) which rated items an invoice holds."""
    held = np.zeros(len(edrs), np.bool_)
    claims = np.unique(edrs.place >> 32).tolist()
    for first in range(0, len(claims), CLAIMS_ASKED_MAX):
        some = ", ".join(map(str, claims[first : first + CLAIMS_ASKED_MAX]))
        found = engine.store.query(f"SELECT claim, record, branch, item FROM fact_billed WHERE claim IN ({some})")
        claim, record, branch, item = (found[name].to_numpy().astype(np.int64) for name in found.column_names)
        place, part = claim << np.int64(32) | record, branch << np.int64(8) | item
        of = edrs.branch.astype(np.int64) << np.int64(8) | edrs.item
        for one in np.unique(part).tolist():
            held |= (of == one) & np.isin(edrs.place, place[part == one])
    return held & edrs.rated


# ---- the command


def _journal(engine: Engine, plan: Plan, reason: str, after: int) -> int:
    """Keep the command in the archive, journal it, and process it; return the entry's number."""
    edrs = plan.scope.edrs
    reader = plan.reader
    standing = np.flatnonzero(plan.taken[plan.edr] & edrs.rated)
    order = standing[np.lexsort((standing, edrs.source[standing], edrs.image[standing]))]
    reversal = np.full(len(edrs), NOT_REVERSED, np.int64)
    reversal[order] = np.arange(len(order))
    groups = list(_groups(edrs, order))
    journal, spool = engine.journal, engine.directory.spool
    names = [f"rerate-{spool.stored_name(journal.next_claim, 'all', name)}" for name in ("cancel.arrow", "edrs.arrow")]
    paths = [spool.archive / name for name in names]
    write_commands(paths[0], (_withdrawals(reader, edrs, plan.parts, rows) for rows in groups))
    taken = plan.first[plan.taken]
    write_commands(paths[1], _again(edrs, reversal, taken), RERATING_SCHEMA)
    words = engine.state.vocabulary.sources
    entry = Rerate(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        after=after,
        image=plan.reader.image.catalog.content_hash,
        reason=reason,
        sources=tuple(words.name(int(edrs.source[rows[0]])) for rows in groups),
        stored=names[0],
        sha256=sha256_of(paths[0], paths[0].stat().st_size),
        edrs=names[1],
        edrs_sha256=sha256_of(paths[1], paths[1].stat().st_size),
        refused=tuple(_answered(edrs, taken)),
    )
    journal.append(entry)
    engine.process(entry)
    engine.flush()
    return entry.claim


def _groups(edrs: StoredEdrs, order: Int64Array) -> Iterator[Int64Array]:
    """Yield runs of items of one image and one source, as many as a block holds, and the rest of an EDR that begins in it."""
    image, source = edrs.image[order], edrs.source[order]
    cuts = np.flatnonzero((image[1:] != image[:-1]) | (source[1:] != source[:-1])) + 1
    for run in np.split(order, cuts):
        begins = np.append(np.flatnonzero(edrs.item[run] == 0), len(run))
        first = 0
        while first < len(run):
            end = int(begins[np.searchsorted(begins, min(first + EDRS_PER_BLOCK, len(run)))])
            yield run[first:end]
            first = end


def _withdrawals(reader: ScopeReader, edrs: StoredEdrs, parts: Parts, rows: Int64Array) -> pa.RecordBatch:
    some, of = edrs.take(rows), parts.take(rows)
    currency = reader.tariff(int(some.image[0])).image.currencies(some.account, some.charge_version)
    given = {
        "image": some.image,
        "account": some.account,
        "currency": currency,
        "charge_version": some.charge_version,
        "event_at": some.event_at,
        "event_type": some.event_type,
        "access_point": some.packed[:, 4],
        "subscription": some.subscription,
        "span_s": some.packed[:, 1],
        "item": some.item,
        "quantity": some.quantity,
        "rest": some.packed[:, 2] - some.quantity,
        "triggered_by": some.triggered_by,
        "trigger": some.trigger,
        "rated_quantity": some.rated_quantity,
        "tier": some.tier,
        "band": some.band,
        "amount": some.amount,
        "wallet": some.wallet,
        **dict(zip(("counter_slot", "counter_cell", "counter_period"), _counters(reader, some), strict=True)),
    }
    splits = (of.ptr.astype(np.int32), of.wallet, of.amount)
    place = some.place
    image = reader.tariff(int(some.image[0]))
    grown = find_growths(
        np.arange(len(some)),
        some.event_at,
        some.subscription,
        some.charge_version,
        some.rated_quantity,
        some.amount,
        said_then(reader.engine, place, some.packed, some.tree, image),
        image.image,
    )
    return command_batch(place >> 32, CancelledKind.RATED, place & RECORD, some.branch, NO_KEYS, given, splits, grown)


def _again(edrs: StoredEdrs, reversal: Int64Array, taken: Int64Array) -> Iterator[pa.RecordBatch]:
    """Yield the EDRs that are rated again, block by block, in the order of events."""
    for first in range(0, len(taken), EDRS_PER_BLOCK):
        rows = taken[first : first + EDRS_PER_BLOCK]
        some = edrs.take(rows)
        words = pa.py_buffer(np.ascontiguousarray(some.packed).tobytes())
        packed = pa.Array.from_buffers(pa.binary(EDR_BYTES), len(rows), [None, words])
        columns: list[Any] = [some.place >> 32, some.place & RECORD, some.branch, some.source, reversal[rows]]
        arrays = [pa.array(values).cast(item.type) for values, item in zip(columns, RERATING_SCHEMA, strict=False)]
        yield pa.RecordBatch.from_arrays([*arrays, packed], schema=RERATING_SCHEMA)


def _answered(edrs: StoredEdrs, taken: Int64Array) -> Iterator[Refusal]:
    for row in taken[~edrs.rated[taken]].tolist():
        place = int(edrs.place[row])
        yield refusal(place >> 32, place & RECORD, int(edrs.branch[row]))
