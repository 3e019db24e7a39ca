"""Invoices of energy, seeded: ten lines of two rates, a chart of a year, parties in France."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np

from schemas.invoice import Invoice, invoice_of
from schemas.invoice_parts import InvoiceLine, LineTax
from schemas.invoice_sums import line_amount

LINES = 10
ONE = Decimal(1)
_SELLER = {
    "name": "Voltige SAS",
    "vat_id": "FR83404833048",
    "legal_id": {"value": "404833048", "scheme": "0002"},
    "address": {"lines": ["1 rue de la Source"], "postcode": "69001", "city": "Lyon", "country": "FR"},
}
_MONTHS = [f"{2025 + month // 12}-{month % 12 + 1:02d}-01" for month in range(10, 23)]


def make_invoices(number: int, seed: int) -> list[Invoice]:
    """Return so many invoices, the same for the same seed."""
    chance = np.random.default_rng(seed)
    return [_invoice(place, chance) for place in range(number)]


def _invoice(place: int, chance: np.random.Generator) -> Invoice:
    taxes = (LineTax(category="S", rate=Decimal(20)), LineTax(category="S", rate=Decimal("5.5")))
    lines = []
    for line in range(1, LINES + 1):
        quantity = Decimal(int(chance.integers(1, 500_000))).scaleb(-3)
        price = Decimal(int(chance.integers(100, 30_000))).scaleb(-5)
        tax = taxes[int(chance.integers(0, 2))]
        amount = line_amount(quantity, price, ONE, (), "EUR")
        lines.append(
            InvoiceLine(
                id=str(line), name=f"Tranche {line}", quantity=quantity, unit="KWH", price=price, net_amount=amount,
                tax=tax, section=f"Poste {(line + 4) // 5}", mark="real" if line % 3 else "estimated",
            )
        )  # fmt: skip
    bars = [
        {"period": {"start": start, "end": end}, "quantity": str(int(chance.integers(50, 900)))}
        for start, end in pairwise(_MONTHS)
    ]
    return invoice_of(
        currency="EUR",
        lines=lines,
        number=f"INV/2026/11/{place + 1:06d}",
        issue_date="2026-11-05",
        due_date="2026-12-05",
        period={"start": "2026-10-01", "end": "2026-11-01"},
        seller=_SELLER,
        buyer={"name": f"Client {place}", "address": {"postcode": "75011", "city": "Paris", "country": "FR"}},
        payment={"means": "58", "iban": "FR7630006000011234567890189"},
        usage=[{"label": "Consommation", "point": f"{place:014d}", "unit": "kWh", "bars": bars}],
    )
