"""The twin of `rating.rate`: a whole block priced by `rating.reference`, with state in dictionaries keyed by names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from rating.contracts import negotiate
from rating.image_charges import version_name
from rating.reference import UnableToPrice, period_at, period_local, price, to_datetime
from rating.reference_carry import carried_into
from rating.reference_conditions import follows, holds, matching_charges
from rating.reference_exchange import converted_version, is_without_rate
from rating.reference_formula import triggered_quantity
from rating.reference_shapes import steps, what_fits
from rating.reference_tables import Said, values_said, with_lookups, with_row
from rating.reference_wallets import ReferenceWallet, ReferenceWallets, covered, pays_for, shares
from rating.vocabulary import Vocabulary
from schemas.account import unit_mark
from schemas.catalog import Catalog
from schemas.contract import Contract, ContractItem
from schemas.edr import EdrBlock, values_of
from schemas.money import AMOUNT_MAX
from schemas.price_plan import Charge, Counter, PriceVersion, utc_microseconds
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.trigger import Trigger

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
    """What became of one EDR, or of what of it a charge priced.

    Everything but `reason`, `charge_version` and `quantity` is empty when it was refused; but `counter_before` tells of a
    counter whose ceiling is why.

    Attributes:
        quantity: base steps of the EDR that it prices. number: which of the EDR's items it is.
        triggered: (event type, subscription, number of the item that triggered it) of triggered usage.
    """

    reason: Reason
    charge_version: str | None = None
    rated_quantity: int = 0
    counter_before: int = 0
    tier: int = 0
    band: int = 0
    amount: int = 0
    movements: tuple[Movement, ...] = ()
    quantity: int = 0
    number: int = 0
    triggered: tuple[str, str, int] | None = None


@dataclass(frozen=True)
class Usage:
    """What pricing needs of one EDR, by names.

    Attributes:
        event_type: its code. contract: the subscription's account and offer. due: base steps that nobody priced yet.
        said: attributes and values.
    """

    subscription: str
    event_type: str
    contract: dict[str, str]
    event_at: int
    quantity: int
    due: int
    said: dict[str, Said]


class UsedUp(Exception):
    """The counter of a charge has nothing left, so the next charge is asked."""

    def __init__(self, version: str, before: int) -> None:
        """Name the charge version, and what its counter has counted."""
        super().__init__(version)
        self.version, self.before = version, before


class Refused(Exception):
    """A charge refuses a usage."""

    def __init__(self, reason: Reason, version: str | None = None, before: int = 0) -> None:
        """Say why, which charge version does, and what its counter has counted where that is why."""
        super().__init__(reason.name)
        self.reason, self.version, self.before = reason, version, before


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
        self._currencies = dict(catalog.accounts.iter_rows())
        self._wallets = ReferenceWallets(catalog)
        for row in catalog.wallets.to_dicts():
            name = f"{row['account']}/{row['wallet']}"
            terms = catalog.wallet_terms.get(name)
            name += unit_mark(terms.unit if terms is not None else None)
            state.balances.setdefault(name, row["opening_balance"])

    def rate(self, edrs: EdrBlock) -> list[ReferenceItem]:
        """Rate a block, row by row; return its items, those of an EDR one after the other."""
        return [item for row in range(len(edrs)) for item in self._rate_one(edrs, row)]

    def _rate_one(self, edrs: EdrBlock, row: int) -> list[ReferenceItem]:
        """Return the items of one EDR, or its refusal: then nothing has moved."""
        quantity = int(edrs.quantity[row])
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        try:
            return self._items(edrs, row)
        except Refused as refusal:
            for where, key, value in reversed(self._undo):
                if value is None:
                    del where[key]
                else:
                    where[key] = value
            told = ReferenceItem(refusal.reason, refusal.version, counter_before=refusal.before, quantity=quantity)
            return [told]

    def _items(self, edrs: EdrBlock, row: int) -> list[ReferenceItem]:
        event_at, quantity = int(edrs.event_at[row]), int(edrs.quantity[row])
        subscription = self._vocabulary.subscriptions.name(int(edrs.subscription[row]))
        event_type = self._vocabulary.event_types.name(int(edrs.event_type[row]))
        contract = self._contracts.get(subscription)
        if contract is None or event_type not in self._catalog.event_types:
            raise Refused(Reason.NO_MATCHING_CHARGE)
        said = self._said(edrs, row)
        return self._with_triggered(
            Usage(subscription, event_type, contract, event_at, quantity, quantity, said), 0, None
        )

    def _with_triggered(self, usage: Usage, first: int, trigger: tuple[str, str, int] | None) -> list[ReferenceItem]:
        """Return the items of a usage, numbered from `first` on, and then those of the usage that each of them triggers."""
        priced = self._priced(usage, first)
        items = [replace(item, triggered=trigger) for _, item in priced]
        for charge, item in priced:
            for each in charge.triggers:
                found = self._triggered(usage, charge, item, each)
                if found is not None:
                    origin = found.event_type, found.subscription, item.number
                    items += self._with_triggered(found, first + len(items), origin)
        return items

    def _triggered(self, usage: Usage, charge: Charge, item: ReferenceItem, trigger: Trigger) -> Usage | None:
        """Return the usage that a trigger makes of what a charge priced of a usage, if it does."""
        types, units = self._catalog.event_types, self._catalog.units
        parent, made = types[usage.event_type], types[trigger.event_type]
        sign, quantity = (-1 if usage.quantity < 0 else 1), abs(item.quantity)
        asked: dict[str, Any] = {"said": usage.said, "quantity": quantity, "event_at": usage.event_at}
        try:
            if trigger.when is not None and not holds(trigger.when, charge, parent, units[parent.unit], **asked):
                return None
            if trigger.quantity is not None:
                exact = triggered_quantity(
                    trigger.quantity, parent, units[parent.unit], charged=abs(item.amount), **asked
                )
                quantity = floor(exact * units[made.unit].step_count + Fraction(1, 2))
        except UnableToPrice as error:
            raise Refused(error.reason, item.charge_version) from error
        if quantity > QUANTITY_MAX:
            raise Refused(Reason.AMOUNT_OVERFLOW, item.charge_version)
        chosen = trigger.subscriptions.get(str(usage.said.get(trigger.by))) if trigger.by is not None else None
        subscription = chosen or trigger.subscription or usage.subscription
        said = {name: usage.said[of] for name, of in trigger.attributes.items() if of in usage.said}
        said = with_lookups(self._catalog, made, said, usage.event_at)
        contract = self._contracts[subscription]
        return Usage(subscription, made.code, contract, usage.event_at, sign * quantity, sign * quantity, said)

    def _priced(self, usage: Usage, first: int) -> list[tuple[Charge, ReferenceItem]]:
        """Return the items of a usage with the charges that priced them."""
        asked: dict[str, Any] = {"said": usage.said, "quantity": usage.quantity, "event_at": usage.event_at}
        items: list[tuple[Charge, ReferenceItem]] = []
        spent: tuple[str | None, int] = None, 0
        owed = True
        try:
            for charge in matching_charges(self._catalog, usage.contract["offer"], usage.event_type, **asked):
                try:
                    item = self._item(charge, usage, first + len(items))
                except UsedUp as used_up:
                    spent, owed = (used_up.version, used_up.before), True
                    continue
                items.append((charge, item))
                spent = item.charge_version, item.counter_before
                if abs(sum(each.amount for _, each in items)) > AMOUNT_MAX:
                    raise Refused(Reason.AMOUNT_OVERFLOW, item.charge_version)
                owed = item.quantity < usage.due
                if owed:
                    usage = replace(usage, due=usage.due - item.quantity)
                elif not follows(charge, self._catalog, **asked):
                    break
        except UnableToPrice as error:
            raise Refused(error.reason) from error
        if owed:
            raise Refused(Reason.NO_MATCHING_CHARGE, *spent)
        return items

    def _item(self, charge: Charge, usage: Usage, number: int) -> ReferenceItem:
        """Return what a charge makes of what is due of a usage, having moved what that moves."""
        version = self._version_in_force(usage.contract, charge, usage.event_at)
        if version is None:
            raise Refused(Reason.NO_PRICE_VERSION)
        name = version_name(charge, version, self._catalog)
        if is_without_rate(version):
            raise Refused(Reason.NO_EXCHANGE_RATE, name)
        counter = self._catalog.counters[version.counter] if version.counter is not None else None
        before, carried, key, cell = 0, 0, None, None
        if counter is not None:
            key, cell = self._cell(self.holder(usage.subscription, counter), counter, usage.event_at)
            kept = self._state.counters.get(key)
            if kept is not None and kept.kind == cell.kind and kept.period > cell.period:
                raise Refused(Reason.COUNTER_PERIOD_CLOSED, name)
            before = kept.used if kept is not None and (kept.kind, kept.period) == (cell.kind, cell.period) else 0
            if counter.roll_over is not None:
                history = self._state.counted.get((key[0], counter.code, cell.kind), {})
                if cell.period <= max(history, default=cell.period) - PERIODS_KEPT:
                    raise Refused(Reason.COUNTER_PERIOD_CLOSED, name)
                carried = carried_into(cell.period, history, counter.roll_over, self._catalog)
        try:
            quantity = self._fitting(charge, version, counter, usage, before, name)
            priced = price(
                self._catalog,
                charge,
                version,
                quantity=quantity,
                event_at=usage.event_at,
                counter_before=before - carried,
                zone=self._zones.get(usage.subscription),
                said=usage.said,
            )
        except UnableToPrice as error:
            raise Refused(error.reason, name) from error
        rated = priced.rated_quantity
        if key is not None and before + min(rated, 0) < -QUANTITY_MAX:
            raise Refused(Reason.COUNTER_OVERFLOW, name)
        before_converted = priced.converted.amount if priced.converted is not None else 0
        if max(abs(priced.amount), abs(before_converted)) > AMOUNT_MAX or rated > QUANTITY_MAX:
            raise Refused(Reason.AMOUNT_OVERFLOW, name)
        if key is not None and before + rated > COUNTER_MAX:
            raise Refused(Reason.COUNTER_OVERFLOW, name)
        try:
            movements = self._draw(charge, usage, priced.amount)
        except UnableToPrice as error:
            raise Refused(error.reason, name) from error
        if movements is None:
            raise Refused(Reason.INSUFFICIENT_BALANCE, name)
        if key is not None and cell is not None:
            self._set(self._state.counters, key, Cell(cell.kind, cell.period, before + rated))
            if counter is not None and counter.roll_over is not None:
                history = self._state.counted.setdefault((key[0], counter.code, cell.kind), {})
                self._set(history, cell.period, before + rated)
        return ReferenceItem(
            reason=Reason.NONE,
            charge_version=name,
            rated_quantity=rated,
            counter_before=before - carried,
            tier=priced.tier,
            band=priced.band.index if priced.band is not None else 0,
            amount=priced.amount,
            movements=movements,
            quantity=quantity,
            number=number,
        )

    def _fitting(
        self, charge: Charge, version: PriceVersion, counter: Counter | None, usage: Usage, before: int, name: str
    ) -> int:
        """Return what of the quantity due a charge prices, as its counter's ceiling, or the units that wallets hold, let it."""
        if self._catalog.price_plans[charge.price_plan].in_units and charge.when_used_up == "next":
            assert isinstance(version.price, Decimal)
            part = covered(
                self._drawn_by(charge, usage), self._state.balances, version, version.price, usage.due, self._catalog
            )
            if part is None:
                raise UsedUp(name, before)
            return part
        if counter is None or counter.ceiling is None or usage.due <= 0:
            return usage.due
        room = steps(counter.ceiling, self._catalog) - before
        found = with_row(self._catalog, version, usage.said, usage.event_at).version
        part = what_fits(usage.due, room, found, self._catalog)
        if part < usage.due and charge.when_used_up == "refuse":
            raise Refused(Reason.COUNTER_USED_UP, name, before)
        if part == 0:
            raise UsedUp(name, before)
        return part

    def _set(self, where: dict[Any, Any], key: Any, value: Any) -> None:
        """Change what a dictionary has, so that it can be undone."""
        self._undo.append((where, key, where.get(key)))
        where[key] = value

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
                found = version if item is None else negotiate(version, plan, contract, item)
                currency = self._currencies[bought["account"]]
                return converted_version(self._catalog, found, plan, bought["offer"], currency, event_at)
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
        period = period_at(counter.period, period_local(counter, to_datetime(event_at)))
        return (holder, counter.code, period % PERIODS_KEPT), Cell(counter.period, period, 0)

    def _draw(self, charge: Charge, usage: Usage, amount: int) -> tuple[Movement, ...] | None:
        """Return the wallet operations that pay an amount of a charge, having made them; None, without any, when it cannot."""
        parts = shares(self._drawn_by(charge, usage) if amount else [], self._state.balances, amount)
        if parts is None or any(
            not BALANCE_MIN <= self._state.balances[wallet] - part < -BALANCE_MIN for wallet, part in parts
        ):
            return None
        for wallet, part in parts:
            self._set(self._state.balances, wallet, self._state.balances[wallet] - part)
        return tuple(Movement(wallet, part, self._state.balances[wallet]) for wallet, part in parts)

    def _drawn_by(self, charge: Charge, usage: Usage) -> list[ReferenceWallet]:
        """Return the wallets that a charge of a usage may draw, in order."""
        account, offer = usage.contract["account"], usage.contract["offer"]
        asked: dict[str, Any] = {"said": usage.said, "quantity": usage.quantity, "event_at": usage.event_at}
        mine = self._wallets.of(account)
        return [wallet for wallet in mine if pays_for(wallet, self._catalog, offer, charge, **asked)]
