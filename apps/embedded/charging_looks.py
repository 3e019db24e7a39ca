"""Questions that online charging answers without taking anything: what wallets hold, and what usage would cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.embedded.charging_requests import ChargingRequest, Encoder, UnableToRequest
from pipelines.account.charging_items import edrs_of
from pipelines.account.charging_rating import without_accumulators
from rating.rate import rate
from rating.trial import on_trial
from schemas.cdr import BlockPosition
from schemas.charging import ChargingKind
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.rejection import Reason

if TYPE_CHECKING:
    from apps.embedded.engine import Engine


def check_balance(engine: Engine, account: str) -> list[dict[str, Any]]:
    """Return what each wallet of an account holds, in drawing order: open = available + reserved.

    Raises:
        UnableToRequest: UNKNOWN_ACCOUNT, or UNAVAILABLE before there is a catalog.
    """
    state, words = engine.state.account, engine.state.vocabulary
    if engine.active is None:
        raise UnableToRequest("UNAVAILABLE", "no catalog is in force")
    image = engine.active.image
    number = words.accounts.id(account)
    if not 0 <= number < len(image.account_wallet_ptr) - 1:
        raise UnableToRequest("UNKNOWN_ACCOUNT", f"the catalog in force has no account {account!r}")
    first, end = image.account_wallet_ptr[number : number + 2].tolist()
    wallets = image.account_wallet[first:end].astype(np.int64)
    opened = state.open_balances(wallets)
    currency = words.currencies.name(int(image.account_currency[number])) if len(wallets) else ""
    return [
        {
            "wallet": words.wallets.name(wallet).partition("/")[2],
            "currency": currency,
            "open": _money(opened[wallet]),
            "reserved": _money(opened[wallet] - state.balance(wallet)),
            "available": _money(state.balance(wallet)),
        }
        for wallet in wallets.tolist()
    ]


def price_enquiry(engine: Engine, request: ChargingRequest) -> dict[str, Any]:
    """Return what usage would cost now, were it charged; nothing moves.

    Raises:
        UnableToRequest: when it names what does not exist.
    """
    request = replace(request, kind=ChargingKind.CHARGE)
    request.check()
    if engine.active is None:
        raise UnableToRequest("UNAVAILABLE", "no catalog is in force")
    at = max(engine.journal.stage_time(engine.now()), engine.state.charging.at)
    rows, refused = Encoder(engine.active, engine.state.vocabulary, engine.secret).encode([request], at)
    for error in refused.values():
        raise error
    rows["event_at"][rows["event_at"] == 0] = at
    edrs = edrs_of(rows, np.array(rows["quantity"]), BlockPosition(0, 0, 0), np.zeros(1, np.int64))
    image, state = without_accumulators(engine.active.image), engine.state.account
    with on_trial(edrs.subscription, image, state):
        rated = rate(edrs, image, state)
    reason = Reason(int(rated.reason[0]))
    found: dict[str, Any] = {"priced": reason is Reason.NONE, "amount": _money(int(rated.amount[0]))}
    return found if reason is Reason.NONE else found | {"reason": reason.name}


def _money(billionths: int) -> str:
    return f"{from_scaled(billionths, AMOUNT_DECIMALS).normalize():f}"
