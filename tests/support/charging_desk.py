"""A desk at which one subscription charges online, request by request, in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from charging_twin import CATALOG
from rating_world import World, catalog_from, instant

from pipelines.account.charging import ChargingState, Ground, take_frame
from schemas.charging import REQUEST, ChargingCode, ChargingKind
from schemas.output import OutputBlock
from schemas.values import VALUE_ABSENT

AT = instant("2026-05-10T12:00:00Z")
EURO = 10**9


class Desk:
    """One subscription that sends texts, of which four are in a bundle: wallets of 2 and of 4.25 EUR; or another one."""

    def __init__(self, catalog: str = CATALOG, subscription: str = "two", event_type: str = "text") -> None:
        self.subscription, self.event_type = subscription, event_type
        self.world, self.state = World(catalog_from(catalog % 1 if "%s" in catalog else catalog)), ChargingState()
        self.state.open_segment(3)
        self.at, self.count = AT, 0

    def ask(
        self,
        kind: ChargingKind,
        quantity: int = 0,
        of: int = 0,
        increment: int = 0,
        code: ChargingCode = ChargingCode.DONE,
    ) -> tuple[Any, list[OutputBlock]]:
        """Take a frame of one request, the ids of which count from 1."""
        names = self.world.vocabulary
        row = np.zeros(1, REQUEST)
        self.at, self.count = self.at + 1000, self.count + 1
        row["lo"], row["of_lo"], row["kind"], row["quantity"] = self.count, of, kind, quantity
        row["increment"], row["validity_s"], row["values"], row["subscription"] = increment, 60, VALUE_ABSENT, -1
        if not of:
            row["subscription"] = names.subscriptions.id(self.subscription)
            row["event_type"] = names.event_types.id(self.event_type)
        ground = Ground(self.world.image, self.world.state, names, "acme", 0, 7200)
        answers, blocks = take_frame(row, self.at, self.state, ground)
        assert answers["code"][0] == code
        return answers[0], blocks

    def stands(self) -> tuple[float, float, int]:
        """Return what the two wallets have, and the bundle has counted."""
        state, names = self.world.state, self.world.vocabulary
        one, two = (state.balance(names.wallets.id(name)) / EURO for name in ("two/a", "two/b"))
        return one, two, int(state.counter_used[names.counters.id("two/bundle")].sum())
