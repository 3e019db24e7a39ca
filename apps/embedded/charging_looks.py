"""Questions that online charging answers without taking anything: what wallets hold, and what usage would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from apps.embedded.charging_requests import ChargingRequest, Encoder, UnableToRequest
from pipelines.account.charging_items import edrs_of
from pipelines.account.charging_rating import without_accumulators
from rating.rate import exact_sum, rate
from rating.trial import on_trial
from schemas.account import wallet_parts
from schemas.cdr import BlockPosition
from schemas.charging import ChargingKind
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.rejection import Reason

if TYPE_CHECKING:
    from apps.embedded.engine import Engine
    from apps.embedded.images import ActiveImage


def account_number(engine: Engine, account: str) -> tuple[ActiveImage, int]:
    """Return the catalog in force and the id of an account of it.

    Raises:
        UnableToRequest: UNKNOWN_ACCOUNT, or UNAVAILABLE before there is a catalog.
    """
    active = engine.active
    if active is None:
        raise UnableToRequest("UNAVAILABLE", "no catalog is in force")
    found = (engine.state.vocabulary.accounts.names == account).arg_true()  # `id` would make a dictionary of millions
    number = int(found[0]) if len(found) else -1
    if number < 0 or number >= len(active.image.account_currency) or active.image.account_currency[number] < 0:
        raise UnableToRequest("UNKNOWN_ACCOUNT", f"the catalog in force has no account {account!r}")
    return active, number


def check_balance(engine: Engine, account: str) -> list[dict[str, Any]]:
    """Return what each wallet of an account holds, in drawing order: available = open - reserved + overdraft.

    Raises:
        UnableToRequest: as `account_number` does.
    """
    active, number = account_number(engine, account)
    state, words, image = engine.state.account, engine.state.vocabulary, active.image
    first, end = image.account_wallet_ptr[number : number + 2].tolist()
    wallets = image.account_wallet[first:end].astype(np.int64)
    opened, reserved = state.open_balances(wallets), state.reserved
    currencies = [words.currencies.name(each) for each in image.wallet_currency[first:end].tolist()]
    return [
        {
            "wallet": wallet_parts(words.wallets.name(wallet))[1],
            "account": wallet_parts(words.wallets.name(wallet))[0],
            "currency": currency,
            "open": money(opened[wallet]),
            "reserved": money(0 if reserved is None else int(reserved[wallet])),
            "available": money(state.balance(wallet)),
        }
        for wallet, currency in zip(wallets.tolist(), currencies, strict=True)
    ]


def price_enquiry(engine: Engine, request: ChargingRequest) -> dict[str, Any]:
    """Return what usage would cost now, were it charged; nothing moves.

    Raises:
        UnableToRequest: when it names what does not exist.
    """
    request = request._replace(kind=ChargingKind.CHARGE)
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
    amount = exact_sum(rated.amount[image.in_money(rated.charge_version)])
    found: dict[str, Any] = {"priced": reason is Reason.NONE, "amount": money(amount)}
    return found if reason is Reason.NONE else found | {"reason": reason.name}


def money(billionths: int) -> str:
    """Return an amount in currency units, as text."""
    return f"{from_scaled(billionths, AMOUNT_DECIMALS).normalize():f}"
