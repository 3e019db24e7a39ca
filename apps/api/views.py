"""What answers about the business hold, for their description; instants are RFC 3339, money is decimal text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(value: int | None) -> str | None:
    """Return an instant (microseconds UTC) as RFC 3339 has it."""
    if value is None:
        return None
    return (_EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")


class View(BaseModel):
    """Base: it holds nothing else."""

    model_config = ConfigDict(extra="forbid")


class Held(View):
    """What holds for an account, and the code of the account that says so; null when that is outside of the key's limits."""

    value: Any
    of: str | None


class AccountRow(View):
    """An account in a list."""

    id: str
    code: str
    kind: str
    parent: str | None = Field(
        description="code of the account above; null also when that is outside of the key's limits"
    )
    name: str | None
    external_id: str | None
    status: str
    created_at: str
    revision: int


class AccountView(AccountRow):
    """An account with what it inherits."""

    currency: str | None
    language: str | None
    country: str | None
    tax_category: str | None
    tax_exemption: str | None
    zone: str | None
    billing_cycle: str | None
    electronic_billing: bool
    wallets: list[dict[str, Any]] | None
    custom: dict[str, Any]
    role: str
    above: list[str]
    holds: dict[str, Held]


class Attached(View):
    """Something attached to an account; of a payment method's reference the last four characters."""

    model_config = ConfigDict(extra="allow")

    id: str
    created_at: str


class Identified(View):
    """What was made."""

    id: str


class PointView(View):
    """An access point and when it is the subscription's."""

    id: str
    identifier: str
    start_at: str | None
    end_at: str | None
    shared: bool


class PauseView(View):
    """A suspension."""

    start_at: str
    end_at: str | None


class PlannedView(View):
    """What is planned for a subscription."""

    id: str
    action: str
    due_at: str
    details: dict[str, Any]


class SubscriptionRow(View):
    """A subscription in a list."""

    id: str
    code: str
    account: str
    offer: str
    status: str
    zone: str | None
    group: str | None
    term: dict[str, Any] | None
    start_at: str | None
    terminated_at: str | None
    charged_until_at: str | None
    term_end_at: str | None
    agreement_end_at: str | None
    reason: str | None
    successor_of: str | None
    created_at: str
    revision: int


class SubscriptionView(SubscriptionRow):
    """A subscription with its access points, its suspensions and what is planned for it."""

    access_points: list[PointView]
    suspensions: list[PauseView]
    planned: list[PlannedView]


class PointFound(PointView):
    """Whose an access point is."""

    subscription: str
    account: str


class AuditView(View):
    """One change: who did what to which row, and what it was before and after."""

    id: str
    at: str
    recorded_at: str
    by: str
    deed: Literal["CREATED", "CHANGED", "REMOVED"]
    entity: str
    key: str
    before: dict[str, Any]
    after: dict[str, Any]


class KeyView(View):
    """An API key, without what it opens with."""

    id: str
    name: str
    status: Literal["ACTIVE", "EXPIRED", "REVOKED"]
    roles: list[str]
    accounts: list[str] | None
    sources: list[str] | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    used_at: str | None


class KeyMade(View):
    """A new key, and what it opens with, which is shown this once."""

    id: str
    name: str
    key: str


class UserView(View):
    """Somebody who logs in; `locked_until` when further attempts are not looked at before then."""

    id: str
    name: str
    status: Literal["ACTIVE", "INVITED", "DISABLED"]
    roles: list[str]
    accounts: list[str] | None
    second_factor: bool
    created_at: str
    logged_in_at: str | None
    locked_until: str | None
    revision: int


class UserMade(View):
    """A user, and the token with which they set their password, which is shown this once."""

    id: str
    name: str
    token: str
    expires_at: str


class SessionView(View):
    """Who has logged in; `csrf_token` goes into the header `X-CSRF-Token` of all but GET."""

    id: str
    user: str
    name: str
    roles: list[str]
    second_factor: bool
    expires_at: str
    csrf_token: str


class SessionRow(View):
    """A session; `this` when it is the one that asks."""

    id: str
    created_at: str
    used_at: str | None
    expires_at: str
    this: bool


class FactorView(View):
    """The secret of a second factor (base32), and the address that an authenticator reads; shown this once."""

    secret: str
    address: str


class CodesView(View):
    """Recovery codes, each opens once; shown this once."""

    recovery_codes: list[str]


class RoleView(View):
    """A role; `own` when the tenant made it."""

    code: str
    description: str
    grants: list[str]
    own: bool


class Why(View):
    """Whether the key that asks may do something, by which roles, and why."""

    allowed: bool
    roles: list[str]
    why: str


class Schema(View):
    """The JSON Schema of custom fields of accounts of a kind."""

    kind: str
    definition: dict[str, Any]
