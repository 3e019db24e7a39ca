"""What was rated as what is to be taken back."""

from __future__ import annotations

import numpy as np
from rating_world import World

from rating.reversal import RatedItems, find_counters
from schemas.edr import EdrBlock
from schemas.rated_item import RatedBlock, usage_of


def rated_items(world: World, block: EdrBlock, rated: RatedBlock) -> RatedItems:
    """Return the items of a block as `reverse` takes them."""
    block = usage_of(block, rated.items)
    kept = np.flatnonzero(rated.reason == 0)
    slot, cell, period = find_counters(
        block.event_at[kept], block.subscription[kept], rated.charge_version[kept], world.image.tariff
    )
    return RatedItems(
        rated.rated_quantity[kept],
        rated.amount[kept],
        rated.wallet[kept],
        slot,
        cell,
        period,
        np.searchsorted(rated.split_row, np.append(kept, len(rated.reason))).astype(np.int64),
        rated.split_wallet,
        rated.split_amount,
    )
