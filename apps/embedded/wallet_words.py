"""Top-ups, adjustments and transfers in words, as JSON has them: for HTTP, for the owner's socket and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.embedded.charging_requests import UnableToRequest
from pipelines.spool.journal import WalletRequest
from schemas.catalog import TIME_MAX, Catalog
from schemas.money import AMOUNT_DECIMALS, AMOUNT_MAX, from_scaled, to_scaled
from schemas.price_plan import Code, Instant, utc_microseconds
from schemas.wallets import PREFIXES, MovementKind

Kind = Literal["top_up", "adjustment", "transfer"]
Said = Annotated[str, Field(min_length=1, max_length=255)]
Reason = Annotated[str, Field(max_length=1000)]


class TopUpBody(BaseModel):
    """Credit that comes to a wallet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Said = Field(description="names the request, for ever: the same one again gets the same answer")
    account: Code = Field(description="whose wallet it is")
    wallet: Code = Field(description="code of the wallet")
    amount: str = Field(description='"NUMBER CURRENCY", above 0')
    expires: Instant | None = Field(
        None, description="when what is left of it expires, ISO 8601 with zone; prepaid wallets only"
    )
    reason: Reason = Field("", description="why, for people")


class AdjustmentBody(BaseModel):
    """A correction by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Said = Field(description="names the request, for ever: the same one again gets the same answer")
    account: Code = Field(description="whose wallet it is")
    wallet: Code = Field(description="code of the wallet")
    amount: str = Field(
        description='"NUMBER CURRENCY"; a negative one takes away, of a prepaid wallet at most what is available'
    )
    reason: Annotated[Reason, Field(min_length=1)] = Field(description="why, for people")


class TransferBody(BaseModel):
    """Credit that goes from one wallet to another one of the same account, or of its charge group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Said = Field(description="names the request, for ever: the same one again gets the same answer")
    account: Code = Field(description="whose wallet pays")
    wallet: Code = Field(description="code of that wallet")
    amount: str = Field(description='"NUMBER CURRENCY", above 0')
    to_account: Code | None = Field(None, description="whose wallet gets it; without it, the same account")
    to_wallet: Code = Field(description="code of that wallet")
    reason: Reason = Field("", description="why, for people")


BODIES: dict[Kind, type[TopUpBody | AdjustmentBody | TransferBody]] = {
    "top_up": TopUpBody,
    "adjustment": AdjustmentBody,
    "transfer": TransferBody,
}


def read_wallet_request(kind: str, body: Mapping[str, Any]) -> WalletRequest:
    """Return the request that some JSON is.

    Raises:
        UnableToRequest: INVALID_REQUEST.
    """
    found = next((one for name, one in BODIES.items() if name == kind), None)
    if found is None:
        raise UnableToRequest("INVALID_REQUEST", f"there is no request {kind!r}")
    try:
        said = found.model_validate(body).model_dump()
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UnableToRequest("INVALID_REQUEST", told) from error
    expires = said.pop("expires", None)
    amount, currency = _amount(said.pop("amount"), signed=kind == "adjustment")
    if kind == "transfer":
        said["to_account"] = said["to_account"] or said["account"]
    return WalletRequest(
        kind=kind,
        amount=amount,
        currency=currency,
        expires_at=0 if expires is None else min(utc_microseconds(expires), TIME_MAX - 1),
        **said,
    )


def _amount(text: str, *, signed: bool) -> tuple[int, str]:
    number, _, currency = text.partition(" ")
    try:
        scaled = to_scaled(Decimal(number), AMOUNT_DECIMALS)
    except (InvalidOperation, ArithmeticError, ValueError) as error:
        told = f'amount: {text!r} is no amount, or a huge one: write "NUMBER CURRENCY", with at most {AMOUNT_DECIMALS} decimals'
        raise UnableToRequest("INVALID_REQUEST", told) from error
    if abs(scaled) > AMOUNT_MAX:
        raise UnableToRequest("INVALID_REQUEST", f"amount: {text!r} is too large")
    if not scaled or (scaled < 0 and not signed):
        raise UnableToRequest(
            "INVALID_REQUEST", f"amount: {text!r} moves nothing" if not scaled else "amount: write one above 0"
        )
    return scaled, currency


def in_unit_held(request: WalletRequest, catalog: Catalog) -> WalletRequest:
    """Return a request in the unit that its wallet holds, where it says another one of that dimension; else as it is.

    Raises:
        UnableToRequest: INVALID_REQUEST, when that is no whole number of billionths, or too large.
    """
    terms = catalog.wallet_terms.get(f"{request.account}/{request.wallet}")
    said = catalog.units.get(request.currency)
    held = None if terms is None or terms.unit is None else catalog.units[terms.unit]
    if said is None or held is None or said == held or said.dimension != held.dimension:
        return request
    amount, rest = divmod(request.amount * said.step_count, held.step_count)
    if rest or abs(amount) > AMOUNT_MAX:
        problem = "is no whole number of billionths" if rest else "is too large"
        raise UnableToRequest(
            "INVALID_REQUEST", f"amount: {money(request.amount)} {said.code} {problem} in {held.code}"
        )
    return request.model_copy(update={"amount": amount, "currency": held.code})


def money(billionths: int) -> str:
    """Return an amount in currency units, as text."""
    return f"{from_scaled(billionths, AMOUNT_DECIMALS).normalize():f}"


def told(request: WalletRequest, claim: int, row: int, at: int, after: list[int]) -> dict[str, Any]:
    """Return the answer of a request that was done.

    Args:
        after: balances after its movements, of a transfer two, billionths.
    """
    kind = MovementKind[request.kind.upper()]
    sign = -1 if kind is MovementKind.TRANSFER else 1
    answer: dict[str, Any] = {
        "id": request.id,
        "operation": f"{PREFIXES[kind]}-{claim}-{row}",
        "at": datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(),
        **_moved(request.account, request.wallet, sign * request.amount, after[0], request.currency),
    }
    if request.expires_at:
        answer["expires_at"] = datetime.fromtimestamp(request.expires_at / 1_000_000, UTC).isoformat()
    if kind is MovementKind.TRANSFER:
        answer["to"] = _moved(request.to_account, request.to_wallet, request.amount, after[1], request.currency)
    return answer


def _moved(account: str, wallet: str, amount: int, after: int, currency: str) -> dict[str, str]:
    return {
        "account": account,
        "wallet": wallet,
        "amount": money(amount),
        "balance_before": money(after - amount),
        "balance_after": money(after),
        "currency": currency,
    }
