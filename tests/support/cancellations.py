"""Commands that withdraw what a block made, written down row by row. No part of the product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from rating.reversal import find_counters
from rating.tariff_image import TariffImage
from schemas.cancellation import CANCELLATION_SCHEMA, CancelledKind
from schemas.cdr import CdrBlock
from schemas.output import OutputBlock
from schemas.rated_item import RatedBlock


def commands_of(output: OutputBlock, cdrs: CdrBlock, image: TariffImage) -> pa.RecordBatch:
    """Return what withdraws every EDR of a block."""
    rated, edrs = output.rated, output.edrs
    key_of = {int(cdrs.record[row]): row for row in range(len(cdrs))}
    rows = []
    for row in range(len(edrs)):
        record = int(edrs.record[row])
        place = key_of[record]
        common: dict[str, Any] = {
            "claim": edrs.position.claim,
            "record": record,
            "branch": int(edrs.branch[row]),
            "key_hi": int(cdrs.key_hi[place]),
            "key_lo": int(cdrs.key_lo[place]),
            "key_at": int(cdrs.event_at[place]),
            "counter_slot": -1,
            "counter_period": -1,
            "wallet": -2,
            "split_wallet": [],
            "split_amount": [],
            "grown_slot": [],
            "grown_period": [],
            "grown_by": [],
        }
        zeros = {name: 0 for name in CANCELLATION_SCHEMA.names if name not in common}
        if rated.reason[row]:
            rows.append({**zeros, **common, "kind": CancelledKind.UNRATED})
            continue
        parts = np.flatnonzero(rated.split_row == row)
        slot, cell, period = find_counters(
            edrs.event_at[row : row + 1],
            edrs.subscription[row : row + 1],
            rated.charge_version[row : row + 1],
            image.tariff,
        )
        rows.append(
            {
                **zeros,
                **common,
                "kind": CancelledKind.RATED,
                "image": image.image_id,
                "account": int(output.account[row]),
                "currency": int(image.account_currency[output.account[row]]),
                "charge_version": int(rated.charge_version[row]),
                "event_at": int(edrs.event_at[row]),
                "event_type": int(edrs.event_type[row]),
                "subscription": int(edrs.subscription[row]),
                "access_point": int(edrs.access_point[row]),
                "span_s": int(edrs.span_s[row]),
                "quantity": int(edrs.quantity[row]),
                "rated_quantity": int(rated.rated_quantity[row]),
                "amount": int(rated.amount[row]),
                "wallet": int(rated.wallet[row]),
                "counter_slot": int(slot[0]),
                "counter_cell": int(cell[0]),
                "counter_period": int(period[0]),
                "split_wallet": rated.split_wallet[parts].tolist(),
                "split_amount": rated.split_amount[parts].tolist(),
                **_grown(rated, row),
            }
        )
    return pa.RecordBatch.from_pylist(rows, CANCELLATION_SCHEMA)


def _grown(rated: RatedBlock, row: int) -> dict[str, list[int]]:
    """Return what one item added to accumulators."""
    if rated.growths is None:
        return {}
    grown = rated.growths.take(np.flatnonzero(rated.growths.row == row))
    return {f"grown_{name}": getattr(grown, name).tolist() for name in ("slot", "period", "by")}
