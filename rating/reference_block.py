"""The twin of `rating.rate`: a whole block priced by `rating.reference`, with state in dictionaries keyed by names."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from rating.contracts import negotiate
from rating.image_charges import version_name
from rating.reference import UnableToPrice, period_at, price, to_datetime
from rating.reference_carry import carried_into
from rating.reference_conditions import matching_charge
from rating.reference_tables import Said, values_said, with_lookups
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.contract import Contract, ContractItem
from schemas.edr import EdrBlock, values_of
from schemas.money import AMOUNT_MAX
from schemas.price_plan import Charge, Counter, PriceVersion, utc_microseconds
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason

COUNTER_MAX = 2**63 - 1
BALANCE_MIN = -(2**127)
PERIODS_KEPT = 4


@dataclass(frozen=True)
class Movement:
    """One wallet operation: what was drawn from a wallet, and its balance afterwards, in billionths."""

    wallet: str
    amount: int
    balance_after: int


@dataclass(frozen=True)
class ReferenceItem:
    """What became of one EDR; everything but `reason` and `charge_version` is empty when it was refused."""

    reason: Reason
    charge_version: str | None = None
    rated_quantity: int = 0
    counter_before: int = 0
    tier: int = 0
    band: int = 0
    amount: int = 0
    movements: tuple[Movement, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One kept period of a counter."""

    kind: str
    period: int
    used: int


@dataclass
class ReferenceState:
    """State by name.

    Attributes:
        counters: (holder, counter, period mod 4) -> the period kept there; a subscription or "account/…", "group/…" holds it.
        balances: "account/wallet" -> billionths.
        counted: (holder, counter, kind of period) -> period -> all that was ever counted in it; of counters that roll over.
    """

    counters: dict[tuple[str, str, int], Cell] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    counted: dict[tuple[str, str, str], dict[int, int]] = field(default_factory=dict)


def _is_in_force(dated: PriceVersion | Contract, event_at: int) -> bool:
    begun = utc_microseconds(dated.start) <= event_at
    return begun and (dated.end is None or event_at < utc_microseconds(dated.end))


class ReferenceRater:
    """Rates blocks by one catalog, changing a state that outlives it."""

    def __init__(self, catalog: Catalog, vocabulary: Vocabulary, state: ReferenceState) -> None:
        """Look up by name what the catalog's frames hold; credit the opening balances of wallets not seen before."""
        self._catalog = catalog
        self._vocabulary = vocabulary
        self._state = state
        self._contracts = {row["subscription"]: row for row in catalog.subscriptions.to_dicts()}
        self._zones = {row["subscription"]: row["zone"] for row in catalog.subscription_zones.to_dicts()}
        self._groups = {row["subscription"]: row["group"] for row in catalog.subscription_groups.to_dicts()}
        self._tree = {row["account"]: row for row in catalog.account_tree.to_dicts()}
        self._wallets: dict[str, list[tuple[bool, int, str]]] = {}
        for row in catalog.wallets.to_dicts():
            name = f"{row['account']}/{row['wallet']}"
            self._wallets.setdefault(row["account"], []).append((not row["prepaid"], row["priority"], name))
            if name not in state.balances:
                state.balances[name] = row["opening_balance"]

    def rate(self, edrs: EdrBlock) -> list[ReferenceItem]:
        """Rate a block, row by row."""
        return [self._rate_one(edrs, row) for row in range(len(edrs))]

    def _rate_one(self, edrs: EdrBlock, row: int) -> ReferenceItem:
        event_at, quantity = int(edrs.event_at[row]), int(edrs.quantity[row])
        subscription = self._vocabulary.subscriptions.name(int(edrs.subscription[row]))
        contract = self._contracts.get(subscription)
        try:
            charge = self._matching_charge(contract["offer"], edrs, row) if contract is not None else None
        except UnableToPrice as error:
            return ReferenceItem(error.reason)
        if contract is None or charge is None:
            return ReferenceItem(Reason.NO_MATCHING_CHARGE)
        version = self._version_in_force(contract, charge, event_at)
        if version is None:
            return ReferenceItem(Reason.NO_PRICE_VERSION)
        name = version_name(charge, version, self._catalog)
        before, carried, key, cell = 0, 0, None, None
        if version.counter is not None:
            counter = self._catalog.counters[version.counter]
            key, cell = self._cell(self.holder(subscription, counter), counter, event_at)
            kept = self._state.counters.get(key)
            if kept is not None and kept.kind == cell.kind and kept.period > cell.period:
                return ReferenceItem(Reason.COUNTER_PERIOD_CLOSED, name)
            before = kept.used if kept is not None and (kept.kind, kept.period) == (cell.kind, cell.period) else 0
            if counter.roll_over is not None:
                history = self._state.counted.get((key[0], counter.code, cell.kind), {})
                if cell.period <= max(history, default=cell.period) - PERIODS_KEPT:
                    return ReferenceItem(Reason.COUNTER_PERIOD_CLOSED, name)
                carried = carried_into(cell.period, history, counter.roll_over, self._catalog)
        try:
            priced = price(
                self._catalog,
                charge,
                version,
                quantity=quantity,
                event_at=event_at,
                counter_before=before - carried,
                zone=self._zones.get(subscription),
                said=self._said(edrs, row),
            )
        except UnableToPrice as error:
            return ReferenceItem(error.reason, name)
        if priced.amount > AMOUNT_MAX or priced.rated_quantity > QUANTITY_MAX:
            return ReferenceItem(Reason.AMOUNT_OVERFLOW, name)
        if key is not None and before + priced.rated_quantity > COUNTER_MAX:
            return ReferenceItem(Reason.COUNTER_OVERFLOW, name)
        movements = self._draw(contract["account"], priced.amount)
        if movements is None:
            return ReferenceItem(Reason.INSUFFICIENT_BALANCE, name)
        if key is not None and cell is not None:
            self._state.counters[key] = Cell(cell.kind, cell.period, before + priced.rated_quantity)
            if counter.roll_over is not None:
                history = self._state.counted.setdefault((key[0], counter.code, cell.kind), {})
                history[cell.period] = before + priced.rated_quantity
        return ReferenceItem(
            reason=Reason.NONE,
            charge_version=name,
            rated_quantity=priced.rated_quantity,
            counter_before=before - carried,
            tier=priced.tier,
            band=priced.band.index if priced.band is not None else 0,
            amount=priced.amount,
            movements=movements,
        )

    def _matching_charge(self, offer: str, edrs: EdrBlock, row: int) -> Charge | None:
        event_type = self._vocabulary.event_types.name(int(edrs.event_type[row]))
        if event_type not in self._catalog.event_types:
            return None
        return matching_charge(
            self._catalog,
            offer,
            event_type,
            said=self._said(edrs, row),
            quantity=int(edrs.quantity[row]),
            event_at=int(edrs.event_at[row]),
        )

    def _said(self, edrs: EdrBlock, row: int) -> dict[str, Said]:
        """Return the attributes and values of an EDR by name."""
        event_type = self._catalog.event_types[self._vocabulary.event_types.name(int(edrs.event_type[row]))]
        codes = (self._vocabulary.attribute_values.name(int(code)) for code in edrs.attributes[row])
        attributes = {name: code for name, code in zip(event_type.attributes, codes, strict=False) if code}
        said = attributes | values_said(event_type, values_of(edrs)[row].tolist())
        return with_lookups(self._catalog, event_type, said, int(edrs.event_at[row]))

    def _version_in_force(self, bought: dict[str, str], charge: Charge, event_at: int) -> PriceVersion | None:
        """Return the version that prices a charge of a subscription at an instant, as the nearest contract has it."""
        contract, item = self._negotiated(bought["account"], bought["offer"], charge, event_at)
        plan = item.price_plan if item is not None and item.price_plan is not None else charge.price_plan
        for version in self._catalog.price_plans[plan].versions:
            if _is_in_force(version, event_at):
                return version if item is None else negotiate(version, plan, contract, item)
        return None

    def _negotiated(
        self, account: str, offer: str, charge: Charge, event_at: int
    ) -> tuple[Contract | None, ContractItem | None]:
        above: str | None = account
        while above is not None:
            for contract in self._catalog.contracts.values():
                item = contract.item_for(offer, charge.code, charge.event_type)
                if contract.account == above and item is not None and _is_in_force(contract, event_at):
                    return contract, item
            above = self._tree.get(above, {}).get("parent")
        return None, None

    def holder(self, subscription: str, counter: Counter) -> str:
        """Return who has a counter that a subscription counts on."""
        if counter.shared_by == "subscription":
            return subscription
        if counter.shared_by == "group":
            return f"group/{self._groups[subscription]}"
        account: str = self._contracts[subscription]["account"]
        while counter.shared_by not in ("account", self._tree.get(account, {}).get("level", "billing_account")):
            account = self._tree[account]["parent"]
        return f"account/{account}"

    def _cell(self, holder: str, counter: Counter, event_at: int) -> tuple[tuple[str, str, int], Cell]:
        period = period_at(counter.period, to_datetime(event_at).astimezone(ZoneInfo(counter.zone)))
        return (holder, counter.code, period % PERIODS_KEPT), Cell(counter.period, period, 0)

    def _draw(self, account: str, amount: int) -> tuple[Movement, ...] | None:
        """Return the wallet operations that pay an amount, having made them; None, having made none, when it cannot."""
        parts: list[tuple[str, int]] = []
        rest = amount
        for postpaid, _, wallet in sorted(self._wallets.get(account, [])):
            part = rest if postpaid else min(rest, max(0, self._state.balances[wallet]))
            if part:
                parts.append((wallet, part))
            rest -= part
        if rest or any(self._state.balances[wallet] - part < BALANCE_MIN for wallet, part in parts):
            return None
        for wallet, part in parts:
            self._state.balances[wallet] -= part
        return tuple(Movement(wallet, part, self._state.balances[wallet]) for wallet, part in parts)
