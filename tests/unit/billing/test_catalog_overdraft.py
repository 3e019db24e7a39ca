"""How far below zero a wallet may go: what a catalog may say of it, and what an image makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from rating_world import World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from rating.image_accounts import UNLIMITED
from rating.kernels.layout import POSTPAID

WORLD = """
{kind: event_type, code: call, unit: event}
---
{kind: price_plan, code: p, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
{kind: charge, code: c, event_type: call, price_plan: p}
---
{kind: offer, code: o, charges: [c]}
---
{kind: account, code: a, currency: EUR, wallets: [WALLETS]}
---
{kind: subscription, code: s, account: a, offer: o, access_points: [{id: "1"}]}
"""


def world(*wallets: str) -> World:
    return World(catalog_from(WORLD.replace("WALLETS", ", ".join(wallets))))


@pytest.mark.parametrize(
    ("wallets", "place", "message", "fix"),
    [
        (['{code: w, type: prepaid, overdraft: "-1"}'], 0, "-1 is negative", "how far below zero"),
        (['{code: w, type: prepaid, overdraft: "99999999999"}'], 0, "too large", "at most"),
        (['{code: w, type: postpaid, overdraft: "0.0000000001"}'], 0, "too many decimals", "at most 9"),
        (
            ['{code: w, type: prepaid, overdraft: "1"}', "{code: x, type: postpaid}"],
            0, '"x" is drawn after this one', "drawn last",
        ),
        (
            ["{code: w, type: prepaid, priority: 2}", '{code: x, type: prepaid, priority: 1, overdraft: "1"}'],
            1, '"w" is drawn after this one', "drawn last",
        ),
    ],
    ids=["negative", "large", "decimals", "postpaid after", "priority after"],
)  # fmt: skip
def test_a_mistake_is_told(wallets: list[str], place: int, message: str, fix: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        world(*wallets)
    field = f"wallets.{place}.overdraft"
    assert [
        problem for problem in caught.value.problems if problem.field == field and message in problem.message and fix in problem.fix
    ], caught.value  # fmt: skip


@pytest.mark.parametrize(
    ("wallet", "overdraft", "postpaid"),
    [
        ("{code: w, type: prepaid}", 0, 0),
        ('{code: w, type: prepaid, overdraft: "2.5", notify_below: ["-2.5"]}', 2_500_000_000, 0),
        ("{code: w, type: postpaid}", UNLIMITED, 1),
        ('{code: w, type: postpaid, overdraft: "0"}', 0, 0),
        ('{code: w, type: postpaid, overdraft: "7"}', 7_000_000_000, 0),
    ],
)
def test_an_image_has_it(wallet: str, overdraft: int, postpaid: int) -> None:
    found = world(wallet)
    assert found.image.wallet_overdraft.tolist() == [overdraft]
    assert found.image.tariff.subscription_row[0, POSTPAID] == postpaid
    assert found.state.open_balances(np.array([0])) == {0: 0}
    assert found.state.balance(0) == max(overdraft, 0)
