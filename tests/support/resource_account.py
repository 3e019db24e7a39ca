"""Both stages over rows, on a state that can be written down and read again."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rating_world import catalog_from
from resource_world import FOREVER_US, Row, Window, access_index, cdr_block

from pipelines.account.stage import ClaimContext, finish_records
from pipelines.resource.stage import process
from pipelines.snapshot import StageState
from rating.tariff_image import TariffImage, compile_image
from schemas.catalog import Catalog
from schemas.cdr import BlockPosition, CdrBlock
from schemas.output import OutputBlock

CALLS = """
{kind: event_type, code: call, unit: event}
---
{kind: event_type, code: fax, unit: event}
---
{kind: counter, code: monthly, unit: event}
---
{kind: price_plan, code: calls, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: graduated,
  per: 1 event, counter: monthly, tiers: [{up_to: 5 event, price: "%s"}, {price: "0.5"}]}]}
---
{kind: charge, code: call, event_type: call, price_plan: calls}
---
{kind: counter, code: spent, unit: EUR, function: amount, shared_by: account, notify: ["2 EUR", "4 EUR"]}
---
{kind: offer, code: talk, charges: [call], accumulate: [spent]}
---
{kind: account, code: card, currency: EUR, wallets: [{code: card, type: prepaid, opening_balance: "10"}]}
---
{kind: account, code: both, currency: EUR, wallets: [{code: gift, type: prepaid, opening_balance: "3"},
  {code: bill, type: postpaid}]}
---
{kind: account, code: bill, currency: EUR}
---
{kind: subscription, code: card, account: card, offer: talk, access_points: [{id: "1"}]}
---
{kind: subscription, code: both, account: both, offer: talk, access_points: [{id: "2"}]}
---
{kind: subscription, code: bill, account: bill, offer: talk, access_points: [{id: "3"}]}
"""
EURO = 10**9
OWNERS = {1: "card", 2: "both", 3: "bill"}
"""Access point -> subscription."""


def describe(cdrs: CdrBlock, row: int) -> str:
    """Say what the decoder has against a row."""
    return f"record {cdrs.record[row]} is wrong"


def _activated(state: StageState, catalog: str) -> TariffImage:
    known = len(state.vocabulary.wallets)
    image = compile_image(_catalog(catalog), state.vocabulary)
    state.account.grow(state.vocabulary)
    opening = image.opening_credits(known)
    state.account.credit(opening.wallet, opening.amount)
    return image


@cache
def _catalog(text: str) -> Catalog:
    return catalog_from(text)


@cache
def _first(catalog: str) -> tuple[StageState, TariffImage]:
    state = StageState.empty()
    return state, _activated(state, catalog)


@dataclass
class Line:
    """Resource and account stage under one catalog after another."""

    state: StageState = field(default_factory=StageState.empty)
    image: TariffImage | None = None
    outputs: list[OutputBlock] = field(default_factory=list)
    owners: dict[int, str] = field(default_factory=lambda: dict(OWNERS))

    def activate(self, catalog: str = CALLS % "1") -> Line:
        """Put a catalog in force."""
        if len(self.state.vocabulary.images):
            self.image = _activated(self.state, catalog)
        else:
            fresh, self.image = _first(catalog)
            self.state = deepcopy(fresh)
        return self

    def windows(self) -> dict[int, Sequence[Window]]:
        """Return who owns the access points, for ever."""
        words = self.state.vocabulary
        return {
            number: [(0, FOREVER_US, words.subscriptions.id(code), words.access_points.id(str(number)))]
            for number, code in self.owners.items()
        }

    def take(self, rows: Sequence[Row], claim: int = 1, block: int = 0, first_record: int = 0) -> OutputBlock:
        """Process one block; an event type of 0 is a call, of 1 a fax, which nothing prices."""
        assert self.image is not None
        cdrs = cdr_block(rows, BlockPosition(claim, block, first_record))
        result = process(
            cdrs, access_index(self.windows()), self.state.resource, stage_time=1, conflict_is_duplicate=False
        )
        output = finish_records(
            cdrs,
            result.reason,
            result.edrs,
            self.image,
            self.state.account,
            self.state.vocabulary,
            ClaimContext("acme", 0, 1),
            describe,
        )
        self.state.claim, self.state.block = claim, block + 1
        self.outputs.append(output)
        return output

    def balance(self, wallet: str) -> int:
        """Return a balance in billionths."""
        found = self.state.vocabulary.wallets.id(wallet)
        assert found >= 0, wallet
        return self.state.account.balance(found)


def facts(outputs: Sequence[OutputBlock]) -> dict[str, Any]:
    """Return all that blocks say, without where they were cut."""
    columns = ("charge_version", "rated_quantity", "counter_before", "tier", "amount", "wallet", "reason", "balance_lo")
    edrs = ("record", "event_at", "span_s", "quantity", "subscription", "access_point")
    rejections = [row for output in outputs for row in output.rejections.to_pylist()]
    for row in rejections:
        del row["block"]
    return {
        **{name: [v for o in outputs for v in getattr(o.rated, name).tolist()] for name in columns},
        **{name: [v for o in outputs for v in getattr(o.edrs, name).tolist()] for name in edrs},
        "account": [value for output in outputs for value in output.account.tolist()],
        "split": [
            (int(output.edrs.record[row]), wallet, amount)
            for output in outputs
            for row, wallet, amount in zip(
                output.rated.split_row.tolist(),
                output.rated.split_wallet.tolist(),
                output.rated.split_amount.tolist(),
                strict=True,
            )
        ],
        "rejections": sorted(rejections, key=lambda row: (row["record"], row["stage"])),
        "sheet": {
            name: sum(getattr(output.header, name) for output in outputs)
            for name in ("received", "edrs", "rated", "unrated", "rejection_rows", "operation_rows", "quantity")
        },
    }
