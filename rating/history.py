"""Rating in the order of events what happened before: counters begin anew, wallets are those of now.

Who rates again takes back every item of the counter periods that it touches, so such a period begins at nothing, however long
it is over. A counter that rolls over is rated again as a whole, because each of its periods depends on those before.
Twin: `rating.reference_block` over the same usage.
"""

from __future__ import annotations

from rating.kernels.layout import PERIOD_NONE
from rating.state import AccountState
from schemas.arrays import BoolArray, Int32Array


def begin(state: AccountState) -> AccountState:
    """Return a state with empty counters and the balances of `state`: what rating draws, it draws from those."""
    return state.uncounted()


def settle(state: AccountState, past: AccountState, rolling: Int32Array) -> None:
    """Put what the counters of `past` came to into `state`, but for periods that it no longer keeps.

    Args:
        rolling: (k, 2) slots as `rating.periods.rolling_slots` finds them; those that counted are now as in `past`.
    """
    state.following = None  # whoever copies it begins anew
    counted: BoolArray = past.counter_period != PERIOD_NONE
    whole = rolling[counted[rolling[:, 0]].any(axis=1)].reshape(-1)
    state.counters[whole] = past.counters[whole]
    counted[whole] = False
    same = counted & (past.counter_period == state.counter_period)
    of_one_kind = past.counter_period & 3 == state.counter_period & 3
    gone = counted & of_one_kind & (past.counter_period < state.counter_period) & (state.counter_period != PERIOD_NONE)
    state.counter_used[same] += past.counter_used[same]
    taken = counted & ~same & ~gone
    state.counter_used[taken] = past.counter_used[taken]
    state.counter_period[taken] = past.counter_period[taken]
