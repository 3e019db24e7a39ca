"""Usage that is paid in units: what of it the wallets that hold them cover. Twin: `rating.reference_wallets.covered`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.kernels.balance import spendable
from rating.kernels.compiled import kernel
from rating.kernels.draw import may_draw
from rating.kernels.items import what_fits
from rating.kernels.layout import DIVISOR, FACTOR, WALLET_COUNT, WALLET_PTR
from rating.kernels.wide import divide_unsigned, low_signed, multiply

I64 = np.int64
U = np.uint64
INT64_MAX = 2**63 - 1
QUANTITY_MAX = 2**62
COVERED, USED_UP, UNDECIDED = 0, 1, 2


@kernel
def what_is_covered(
    asked: Any,
    price: Any,
    rule: Any,
    candidate: Any,
    row: Any,
    at: Any,
    quantity: Any,
    owner: Any,
    account_wallet: Any,
    terms: Any,
    balance: Any,
    attributes: Any,
    values: Any,
    programs: Any,
    stack: Any,
) -> Any:
    """Return (how much of `asked` base steps is covered, COVERED), or (0, USED_UP) or (0, UNDECIDED).

    Usage that is taken back is covered as a whole by whoever has such a wallet.

    Args:
        price: int64, units for one `per`, scaled as in `layout.Tariff`. rule: (VERSION_COLUMNS,) int64, its version.
        candidate .. balance, attributes .. stack: as in `draw`.
    """
    held, has = I64(0), False
    first = I64(owner[WALLET_PTR])
    usage = (row, at, quantity, attributes, values, programs, stack)
    for place in range(first, first + I64(owner[WALLET_COUNT])):
        may, sure = may_draw(I64(place), candidate, terms, usage)
        if not sure:
            return I64(0), I64(UNDECIDED)
        if may:
            has = True
            wallet = account_wallet[place]
            held += spendable(balance[wallet, 0], U(balance[wallet, 1]), I64(INT64_MAX) - held)
    if not has or (asked >= 0 and held == 0 and price > 0):
        return I64(0), I64(USED_UP)
    if asked <= 0 or price == 0:
        return asked, I64(COVERED)
    hi, lo = multiply(held // rule[FACTOR], rule[DIVISOR])
    quotient_hi, quotient_lo, _ = divide_unsigned(U(hi), lo, price)
    room = I64(QUANTITY_MAX)
    if quotient_hi == 0 and quotient_lo < U(QUANTITY_MAX):
        room = low_signed(quotient_lo)
    used = what_fits(asked, room, rule)
    return used, I64(COVERED if used > 0 else USED_UP)
