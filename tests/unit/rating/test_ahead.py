"""Among many subscriptions, what a row moves is fetched before its turn, whoever the rows are of."""

import numpy as np
import pytest

from rating.kernels import ahead
from rating.kernels.layout import COUNTER_FIRST, COUNTER_WORDS, SUBSCRIPTION_COLUMNS, WALLET_FIRST

COUNTERS, BALANCES = 1 << 40, 1 << 50


@pytest.mark.parametrize(("start", "count"), [(0, 1), (0, ahead.RUN), (3, 5 * ahead.RUN + 7), (40, 41)])
def test_every_row_is_fetched_before_its_turn(monkeypatch: pytest.MonkeyPatch, start: int, count: int) -> None:
    chance = np.random.default_rng(count)
    rows = chance.integers(0, 1000, (50, SUBSCRIPTION_COLUMNS)).astype(np.int32)
    of = chance.integers(-1, 50, count).astype(np.int32)
    fetched: set[int] = set()
    monkeypatch.setattr(ahead, "prefetch", lambda address: fetched.add(int(address)))
    for row in range(start, count):
        if (row - start) % ahead.RUN == 0:
            ahead.fetch_run.py_func(row, start, of, rows, COUNTERS, BALANCES)
        if of[row] < 0:
            continue
        owner = rows[of[row]]
        assert rows.ctypes.data + 4 * SUBSCRIPTION_COLUMNS * int(of[row]) in fetched
        assert COUNTERS + 8 * COUNTER_WORDS * int(owner[COUNTER_FIRST]) in fetched
        assert BALANCES + 16 * int(owner[WALLET_FIRST]) in fetched
