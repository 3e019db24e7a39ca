"""Explaining a stored amount: the twin prices it again from the catalog that was in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from apps.embedded.access import Access
from apps.embedded.explain_tax import ExplainedTax, explain_tax
from apps.embedded.layout import DataDirectory
from apps.embedded.recollect import UnableToRecollect, first_place, what_was_said
from billing.catalog.store import load_catalog
from pipelines.spool.journal import read_entries
from rating.explanation import Explanation
from rating.reference import UnableToExplain, find_charge_version, price
from rating.reference_tables import Said, with_lookups
from schemas.catalog import Catalog
from schemas.ids import RatedItemId
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.price_plan import utc_microseconds

_ITEM = """
SELECT r.*, f.counter_before AS counter_steps
FROM rated_item AS r
INNER JOIN (
  SELECT claim, record, branch, item, counter_before FROM fact_usage WHERE claim = {claim:UInt32} AND record = {record:UInt32}
) AS f ON f.claim = r.claim AND f.record = r.record AND f.branch = r.branch AND f.item = r.item
WHERE r.claim = {claim:UInt32} AND r.record = {record:UInt32} AND r.branch = {branch:UInt16} AND r.item = {item:UInt16}
"""
_OPERATIONS = """
SELECT wallet, amount, balance_after FROM wallet_operation
WHERE claim = {claim:UInt32} AND record = {record:UInt32} AND branch = {branch:UInt16} AND item = {item:UInt16}
  AND kind = 'usage'
ORDER BY part
"""
_ITEMS = """
SELECT r.item AS item, r.id AS id, r.charge AS charge, r.subscription AS subscription, r.quantity_steps AS quantity_steps,
  f.quantity + f.rest AS whole, f.triggered_by AS triggered_by, f.trigger AS trigger
FROM rated_item AS r
INNER JOIN (
  SELECT claim, record, branch, item, quantity, rest, triggered_by, trigger FROM fact_usage
  WHERE claim = {claim:UInt32} AND record = {record:UInt32}
) AS f ON f.claim = r.claim AND f.record = r.record AND f.branch = r.branch AND f.item = r.item
WHERE r.claim = {claim:UInt32} AND r.record = {record:UInt32} AND r.branch = {branch:UInt16} ORDER BY item
"""
_PARTS = """
SELECT part_claim, part_record, late FROM assembled_part WHERE claim = {claim:UInt32} AND record = {record:UInt32}
ORDER BY part_claim, part_record
"""
PARTS_TOLD = 50


_REVERSAL = """
SELECT reversed_claim, reversed_record, reversed_branch, reversed_item, cause, counter FROM fact_reversal
WHERE claim = {claim:UInt32} AND record = {record:UInt32}
"""


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """A stored rated item, its explanation, and the wallet operations that paid it.

    `parts` are the records of which a session's EDR was put together. `items`: all items of its EDR, and the quantity of the
    usage of each. `triggers`: by which triggers its usage came about, of the EDR's own first.
    `reversal`, where another item was asked for that takes this one back: that one's id, cause and counter.
    `tax`, where the catalog has taxes: which is due.
    """

    item: dict[str, Any]
    explanation: Explanation
    operations: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    items: list[dict[str, Any]]
    triggers: list[dict[str, Any]] = field(default_factory=list)
    reversal: dict[str, Any] | None = None
    tax: ExplainedTax | None = None

    @property
    def recomputed(self) -> Decimal:
        """The twin's amount, in currency units."""
        return from_scaled(self.explanation.amount, AMOUNT_DECIMALS)

    @property
    def agrees(self) -> bool:
        """Whether the stored amount is the recomputed one."""
        return bool(self.recomputed == self.item["amount"])

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "item": self.item,
            "explanation": self.explanation.model_dump(mode="json"),
            "wallet_operations": self.operations,
            "parts": self.parts,
            "items": self.items,
            "triggers": self.triggers,
            "recomputed": self.recomputed,
            "agrees": self.agrees,
            "reversal": self.reversal,
            "tax": None if self.tax is None else self.tax.as_dict(),
        }

    def lines(self) -> list[str]:
        """Return everything in words."""
        item = self.item
        told = [] if self.reversal is None else [self._reversal_line(self.reversal)]
        told += [
            f"{item['id']}: account {item['account']}, subscription {item['subscription']}, "
            f"access point {item['access_point']}, source {item['source']}",
            *([_places(self.parts)] if self.parts else []),
            *self._triggered(),
            *self._way(),
            *self.explanation.lines(),
        ]
        told += [
            f"wallet {row['wallet']}: {row['amount'].normalize():f} {item['currency']}, balance afterwards "
            f"{row['balance_after'].normalize():f}"
            for row in self.operations
        ]
        told += [] if self.tax is None else self.tax.lines(item["currency"])
        verdict = "as stored" if self.agrees else f"but {item['amount'].normalize():f} is stored"
        if item["status"] == "reversed" and self.reversal is None:
            told.append("it was taken back since: view rated_item, status reversal")
        return [*told, f"computed again in decimals: {self.recomputed.normalize():f} {item['currency']}, {verdict}"]

    def _way(self) -> Iterator[str]:
        """Yield, of one of several items, which charges priced what of the usage before it, and why it came to this one."""
        mine = self.items[self.item["item"]]
        of_usage = ("triggered_by", "trigger")
        items = [row for row in self.items if all(row[name] == mine[name] for name in of_usage)]
        if len(items) == 1:
            return
        due = mine["whole"]
        yield f"item {self.item['item']} (from 0) of the {len(items)} of usage of {self.explanation.units(due)}"
        for row in items[: items.index(mine)]:
            part = self.explanation.units(row["quantity_steps"])
            if row["quantity_steps"] == due:
                yield f"charge {row['charge']} priced {part}, and let the next charge price them once more"
            else:
                due -= row["quantity_steps"]
                left = self.explanation.units(due)
                yield f"charge {row['charge']} priced {part}, all that was left for it; {left} went to the next charge"

    def _triggered(self) -> Iterator[str]:
        """Yield how triggered usage came about, one trigger after the other."""
        for trigger in self.triggers:
            when = f" when {trigger['when']}" if trigger["when"] is not None else ""
            much = f", as much as {trigger['quantity']}" if trigger["quantity"] is not None else ""
            whose = f" of subscription {trigger['owner']}" if trigger["subscription"] or trigger["by"] else ""
            yield f"{trigger['item']} triggers {trigger['event_type']}{whose}: charge {trigger['charge']}{when}{much}"

    def _reversal_line(self, reversal: dict[str, Any]) -> str:
        counter = {"lowered": ", its counter was lowered", "left": ", its counter is no longer kept"}
        cause = {"back_out": "its file was backed out", "superseded": "a newer record took its place",
                 "reopened": "a part of its session came late", "rerated": "it was rated again"}  # fmt: skip
        return (
            f"{reversal['id']} takes {self.item['id']} back: {cause[reversal['cause']]}"
            f"{counter.get(reversal['counter'], '')}"
        )


def explain_item(access: Access, directory: DataDirectory, wanted: RatedItemId) -> ExplainedItem:
    """Return the explanation of one rated item.

    Raises:
        UnableToExplain: when there is no such item.
    """
    place = {"claim": wanted.claim, "record": wanted.record, "branch": wanted.branch, "item": wanted.item}
    found = access.query(_ITEM, place).to_pylist()
    if not found:
        raise UnableToExplain(f"there is no rated item {wanted}")
    item = found[0]
    if item["status"] == "reversal":
        (reversal,) = access.query(_REVERSAL, place).to_pylist()
        original = RatedItemId(*(reversal.pop(f"reversed_{name}") for name in ("claim", "record", "branch", "item")))
        return replace(explain_item(access, directory, original), reversal={"id": str(wanted), **reversal})
    catalog = load_catalog(directory.images / item["image"])
    charge, version = find_charge_version(catalog, item["charge_version"])
    operations = access.query(_OPERATIONS, place).to_pylist()
    first = first_place(directory.spool.archive, read_entries(directory.journal), wanted.claim, wanted.record)
    parts = access.query(_PARTS, dict(zip(("claim", "record"), first, strict=True))).to_pylist()
    event_at = utc_microseconds(item["event_at"])
    items = access.query(_ITEMS, place).to_pylist()
    triggers = _triggers(catalog, items, wanted.item)
    said: dict[str, Said] = {}
    if any(each is not None for each in (version.prices, version.value, version.formula, version.plugin)):
        places = [(row["part_claim"], row["part_record"]) for row in parts] or [first]
        try:
            of = catalog.charges[triggers[0]["charge"]] if triggers else charge
            said = what_was_said(directory, catalog, places, of.event_type, event_at)
        except UnableToRecollect as error:
            raise UnableToExplain(f"{wanted} found its price by what its record says, but {error}") from error
        for trigger in triggers:
            said = {name: said[of] for name, of in trigger["attributes"].items() if of in said}
            said = with_lookups(catalog, catalog.event_types[trigger["event_type"]], said, event_at)
    explanation = price(
        catalog,
        charge,
        version,
        quantity=item["quantity_steps"],
        event_at=event_at,
        counter_before=item.pop("counter_steps"),
        zone=catalog.zone_of(item["subscription"]),
        said=said,
    )
    tax = None  # units that wallets hold are not taxed
    if not catalog.price_plans[charge.price_plan].in_units:
        tax = explain_tax(catalog, item["subscription"], charge.code, event_at, item["amount"])
    return ExplainedItem(item, explanation, operations, parts, items, triggers, tax=tax)


def _triggers(catalog: Catalog, items: list[dict[str, Any]], wanted: int) -> list[dict[str, Any]]:
    """Return by which triggers the usage of an item came about, each with the item and the charge that has it."""
    found: list[dict[str, Any]] = []
    row = items[wanted]
    while row["triggered_by"]:
        parent = items[row["triggered_by"] - 1]
        trigger = catalog.charges[parent["charge"]].triggers[row["trigger"]]
        about = {"item": parent["id"], "charge": parent["charge"], "owner": row["subscription"]}
        found.insert(0, about | trigger.model_dump(mode="json"))
        row = parent
    return found


def _places(parts: list[dict[str, Any]]) -> str:
    if parts[0]["late"]:
        return "a part that came after its session had ended, and is usage of its own"
    told = ", ".join(f"{row['part_claim']}-{row['part_record']}" for row in parts[:PARTS_TOLD])
    more = len(parts) - PARTS_TOLD
    shown = f"{told} and {more} more (view assembled_part)" if more > 0 else told
    return f"put together from {len(parts)} records: {shown}"
