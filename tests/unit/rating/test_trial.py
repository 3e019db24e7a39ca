"""What usage of subscriptions may move, the last subscription's too, which none follows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from rating.kernels.layout import COUNTER_PTR, SUBSCRIPTION_COLUMNS, WALLET_COUNT, WALLET_PTR
from rating.trial import reached, reached_wallets


def test_subscriptions_reach_their_counters_and_wallets() -> None:
    rows = np.zeros((3, SUBSCRIPTION_COLUMNS), np.int32)
    rows[:, COUNTER_PTR], rows[:, WALLET_PTR], rows[:, WALLET_COUNT] = (0, 2, 2), (0, 2, 3), (2, 1, 0)
    tariff = SimpleNamespace(
        subscription_row=rows, counter_slot=np.array([4, -1, 6, 5]), account_wallet=np.array([9, 8, 7], np.int32)
    )
    image: Any = SimpleNamespace(tariff=tariff, wallets_max=2)
    cases: dict[tuple[int, ...], tuple[list[int], list[int]]] = {
        (0,): ([4], [8, 9]),
        (1,): ([], [7]),
        (2,): ([5, 6], []),
        (2, 0): ([4, 5, 6], [8, 9]),
        (): ([], []),
    }
    for subscriptions, (slots, wallets) in cases.items():
        chosen = np.array(subscriptions, np.int32)
        assert [found.tolist() for found in reached(chosen, image)] == [slots, wallets]
        assert reached_wallets(chosen, image).tolist() == wallets
