"""Requests with the items that they came to: kept, taken in another order, and read from snapshots of before."""

from __future__ import annotations

import numpy as np

from pipelines.account.kept import ITEM, ITEM_V4, KEPT, PART, Items, KeptRequests
from rating.kernels.balance import WALLET_SPLIT
from schemas.charging import Standing


def kept_with(counts: list[int]) -> tuple[KeptRequests, Items]:
    """Return requests that have so many items each, of which the first of each was paid by two wallets."""
    rows = np.zeros(len(counts), KEPT)
    rows["request"]["lo"] = np.arange(len(counts))
    rows["answer"]["granted"] = 10 + np.arange(len(counts))
    rows["standing"] = Standing.CHARGED
    ptr = np.concatenate([[0], np.cumsum(counts)])
    items = np.zeros(ptr[-1], ITEM)
    items["quantity"] = 100 + np.arange(len(items))
    firsts = ptr[:-1][np.diff(ptr) > 0]
    items["wallet"][firsts], items["part_count"][firsts] = WALLET_SPLIT, 2
    parts = np.zeros(2 * len(firsts), PART)
    parts["amount"] = np.arange(len(parts))
    kept, some = KeptRequests(), Items(ptr, items, parts)
    kept.keep(rows, some)
    return kept, some


def test_items_of_requests_come_back_in_any_order() -> None:
    kept, some = kept_with([2, 0, 1, 3])
    for order in ([0, 1, 2, 3], [3, 0], [2, 3, 1]):
        found, taken = kept.items(np.array(order)), some.take(np.array(order))
        assert found.ptr.tolist() == taken.ptr.tolist()
        assert found.rows["quantity"].tolist() == taken.rows["quantity"].tolist()
        assert found.parts.tolist() == taken.parts.tolist()
    again = KeptRequests.from_arrays(kept.to_arrays())
    assert again.items(np.arange(4)).rows.tobytes() == kept.items(np.arange(4)).rows.tobytes()


def test_items_of_snapshots_that_did_not_say_their_quantity_priced_all_of_it() -> None:
    arrays = kept_with([1, 0, 1])[0].to_arrays()
    items = np.frombuffer(arrays.pop("0000000000.priced").tobytes(), ITEM)
    before = np.zeros(len(items), ITEM_V4)
    for name in ITEM_V4.names or ():
        before[name] = items[name]
    arrays["0000000000.items"] = np.frombuffer(before.tobytes(), np.uint8)
    found = KeptRequests.from_arrays(arrays).items(np.arange(3))
    assert found.rows["quantity"].tolist() == [10, 12]
    assert found.rows["part_count"].tolist() == [2, 2]
    assert found.parts["amount"].tolist() == [0, 1, 2, 3]
