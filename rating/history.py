"""Rating in the order of events what happened before: counters begin anew, wallets are those of now.

Who rates again takes back every item of the counter periods that it touches, so such a period begins at nothing, however long
it is over. Twin: `rating.reference_block` over the same usage.
"""

from __future__ import annotations

from rating.kernels.layout import PERIOD_NONE
from rating.state import AccountState
from schemas.arrays import BoolArray


def begin(state: AccountState) -> AccountState:
    """Return a state with empty counters and the balances of `state`: what rating draws, it draws from those."""
    return state.uncounted()


def settle(state: AccountState, past: AccountState) -> None:
    """Put what the counters of `past` came to into `state`, but for periods that it no longer keeps."""
    counted: BoolArray = past.counter_period != PERIOD_NONE
    same = counted & (past.counter_period == state.counter_period)
    of_one_kind = past.counter_period & 3 == state.counter_period & 3
    gone = counted & of_one_kind & (past.counter_period < state.counter_period) & (state.counter_period != PERIOD_NONE)
    state.counter_used[same] += past.counter_used[same]
    taken = counted & ~same & ~gone
    state.counter_used[taken] = past.counter_used[taken]
    state.counter_period[taken] = past.counter_period[taken]
