"""Wrong versions of what tells of crossings: the twin, or plain arithmetic, notices each of them. A test of the tests."""

from __future__ import annotations

import inspect
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from notify_twin import NotifyTwin, Told, told_in
from rating_world import Use, World, catalog_from, instant

import pipelines.account.notify
import rating.crossings
from rating.image_levels import Levels
from rating.rate import account_of, rate

CATALOG = catalog_from(
    "{kind: event_type, code: data, unit: B}",
    "{kind: counter, code: early, unit: B, notify: [5 B]}",
    "{kind: counter, code: month, unit: B, period: day, notify: [4 B, 7 B, 8 B]}",
    "{kind: counter, code: spend, unit: EUR, function: amount, period: day, notify: [3 EUR, '4.5 EUR']}",
    *(
        f"kind: price_plan\ncode: {code}\ncurrency: EUR\nversions: [{{start: '2026-01-01T00:00:00Z', model: flat, per: 1 B, "
        f"price: '0.5', counter: {code}}}]"
        for code in ("early", "month")
    ),
    *(
        f"{{kind: charge, code: {code}, event_type: data, price_plan: {code}, accumulate: [spend]}}"
        for code in ("early", "month")
    ),
    *(f"{{kind: offer, code: {code}, charges: [{code}]}}" for code in ("early", "month")),
    "kind: account\ncode: a\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: '2', notify_below: ['1']}, "
    "{code: main, type: prepaid, priority: 2, opening_balance: '3', notify_below: ['2', '0']}]",
    "{kind: account, code: b, currency: EUR, wallets: [{code: bill, type: postpaid, notify_below: ['-2', '-3']}]}",
    *(f"{{kind: subscription, code: {code}, account: {code}, offer: month}}" for code in "ab"),
    "{kind: subscription, code: c, account: b, offer: early}",
)  # fmt: skip
NOON = instant("2026-05-10T12:00:00Z")
USES = [
    Use(who, "data", NOON + day * 86_400_000_000, count)
    for who, day, count in [
        ("a", 0, 99), ("a", 0, 5), ("b", 0, 4), ("a", 0, 1), ("c", 0, 9), ("b", 0, 4), ("b", 1, 7), ("a", 0, 2), ("a", 1, 3), ("b", 0, -5),
        ("b", 0, 5), ("a", 1, 100), ("a", 1, -2), ("b", 2, 3), ("b", 2, 1),
    ]
]  # fmt: skip
OF_BLOCKS = [
    ("rows = np.flatnonzero(rated.reason == 0)", "rows = np.flatnonzero(rated.reason >= 0)[:-1]"),
    ("end = start + rated.rated_quantity[rows]", "end = start"),
    ("end = start + rated.rated_quantity[rows]", "end = rated.rated_quantity[rows]"),
    ("rows, which = rows[which >= 0], which[which >= 0]", "rows, which = rows[which > 0], which[which > 0]"),
    ("row = rows[place]", "row = place"),
    ("widened(start[place]),\n        widened(end[place]),", "widened(end[place]),\n        widened(start[place]),"),
    ("-saturated(start_hi, start_lo), -saturated(hi, lo))\n    nothing", "saturated(start_hi, start_lo), saturated(hi, lo))\n    nothing"),
    ("rated.split_amount])[order]", "-rated.split_amount])[order]"),
    ("np.concatenate([rated.amount[single]", "np.concatenate([0 * rated.amount[single]"),
    ("row[order][place],\n        at,\n        nothing,", "place,\n        at,\n        nothing,"),
    ("saturated(grown.before_hi, grown.before_lo), saturated(hi, lo))", "saturated(hi, lo), saturated(grown.before_hi, grown.before_lo))"),
    ("grown.row[place],", "place,"),
    ('"level": _decimals(*widened(-level))', '"level": _decimals(*widened(level))'),
    ("if levels is None:", "if levels is None or find is _wallets:"),
    ("if levels is None:", "if levels is None or find is _accumulators:"),
    ("if levels is None:", "if levels is None or find is _counters:"),
    ("np.repeat(starts, np.diff(", "np.repeat(0 * starts, np.diff("),
    ("order = np.argsort(row, kind=\"stable\")\n    columns", "order = np.arange(len(row))\n    columns"),
    ('astype(f"datetime64[{unit}]")', 'astype("datetime64[M]")'),
    ("np.stack([lo.view(np.int64), hi], axis=1)", "np.stack([hi, lo.view(np.int64)], axis=1)"),
]  # fmt: skip
OF_CROSSINGS = [
    ("before[row] < level", "before[row] <= level"),
    ("level <= after[row]", "level < after[row]"),
    ("(before[row] < level) &", "(before[row] < level) |"),
    ("(before[row] < level) & (level <= after[row])", "level <= after[row]"),
    ("(before[row] < level) & (level <= after[row])", "(before[row] > level) & (level >= after[row])"),
    ("count = levels.ptr[of + 1] - first", "count = levels.ptr[of + 1] - first - 1"),
    ("np.repeat(first - ends + count, count)", "np.repeat(first - ends, count)"),
    ("return row[hit], at[hit]", "return row[hit][:1], at[hit][:1]"),
    ("(more >> 63)", "0"),
    ("+ (low < lo)", ""),
    ("(low < lo)", "(low > lo)"),
    ("hi == low >> 63", "hi == 0"),
    ("np.where(hi < 0, -INT64_MAX, INT64_MAX)", "INT64_MAX"),
    ("np.maximum(low, -INT64_MAX)", "low"),
]


def _changed(module: ModuleType, old: str, new: str) -> dict[str, Any]:
    source = inspect.getsource(module)
    assert source.count(old) >= 1, old
    changed = ModuleType(module.__name__)  # data classes ask for the module that they are of
    exec(compile(source.replace(old, new, 1), old, "exec"), changed.__dict__)
    return changed.__dict__


@pytest.fixture(scope="module")
def rated() -> tuple[Any, ...]:
    world = World(CATALOG)
    expected = NotifyTwin(world).take(USES, world.rate_twin(USES))
    edrs = world.block(USES)
    block = rate(edrs, world.image, world.state)
    return (edrs, block, account_of(edrs, world.image), world.image, world.vocabulary), world, expected


def _noticed(told: Any, rated: tuple[Any, ...]) -> bool:
    """Return whether what a version tells of the block is not what the twin does, or it does not get so far."""
    arguments, world, expected = rated
    try:
        batch: pa.RecordBatch = told(*arguments)
        found = told_in(batch, world)
        parts = batch["part"].to_pylist()
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        return True
    plain = [place for _, each in groupby(expected, key=_row) for place, _ in enumerate(each)]
    return found != expected or parts != plain


def _row(told: Told) -> int:
    return told.row


def test_the_right_version_is_right(rated: tuple[Any, ...]) -> None:
    assert not _noticed(pipelines.account.notify.notifications, rated)
    assert _wrong_crossings(vars(rating.crossings)) == []
    kinds = {told.thing[0] if told.thing[0] == "wallet" else told.thing[2] for told in rated[2]}
    assert kinds == {"early", "month", "spend", "wallet"}


@pytest.mark.parametrize(("old", "new"), OF_BLOCKS, ids=[new for _, new in OF_BLOCKS])
def test_a_wrong_version_of_blocks_is_noticed(old: str, new: str, rated: tuple[Any, ...]) -> None:
    assert _noticed(_changed(pipelines.account.notify, old, new)["notifications"], rated)


@pytest.mark.parametrize(("old", "new"), OF_CROSSINGS, ids=[new for _, new in OF_CROSSINGS])
def test_a_wrong_version_of_crossings_is_noticed(old: str, new: str) -> None:
    assert _wrong_crossings(_changed(rating.crossings, old, new))


EDGE = 2**63 - 1
VALUES = (0, 1, -1, 5, EDGE, -EDGE, -EDGE - 1, 2**64 - 1, 2**64, -(2**64), 2**100, -(2**100), 2**64 - 2, 2**63)


def _wrong_crossings(version: dict[str, Any]) -> list[str]:
    """Return what a version of the arithmetic says otherwise than integers do."""
    wrong = []
    with np.errstate(over="ignore"):
        levels = Levels(ptr=np.array([0, 2, 2, 5]), level=np.array([3, 7, 1, 2, 9]), written=[""] * 5)
        for of, before, after in (
            (0, 3, 7),
            (0, 2, 3),
            (0, 2, 8),
            (0, 8, 2),
            (1, 0, 9),
            (2, 1, 9),
            (2, 0, 1),
            (0, 7, 9),
        ):
            some = range(levels.ptr[of], levels.ptr[of + 1])
            told = [int(at) for at in some if before < levels.level[at] <= after]
            try:
                row, found = version["crossed"](levels, np.array([1, of]), np.array([0, before]), np.array([9, after]))
            except (LookupError, ValueError):
                return ["crossed"]
            if found.tolist() != told or row.tolist() != [1] * len(told):
                wrong.append("crossed")
        hi = np.array([value >> 64 for value in VALUES])
        lo = np.array([value & 2**64 - 1 for value in VALUES], np.uint64)
        clipped = [max(-EDGE, min(EDGE, value)) for value in VALUES]
        wrong += ["saturated"] if version["saturated"](hi, lo).tolist() != clipped else []
        for more in (1, -1, 7, EDGE, -EDGE):
            high, low = version["plus"](hi, lo, np.full(len(hi), more))
            sums = [(int(above) << 64) + int(below) for above, below in zip(high, low, strict=True)]
            wrong += ["plus"] if sums != [value + more for value in VALUES] else []
    return wrong
