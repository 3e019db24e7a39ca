"""A dozen invoices that we wrote ourselves, one for each thing that an invoice may have to say.

`python tests/support/invoices_world.py` writes their XML to tests/unit/connectors/einvoice_golden, for a human to read the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from schemas.invoice import Invoice, invoice_of
from schemas.invoice_parts import AllowanceCharge, InvoiceLine, LineTax
from schemas.invoice_sums import Exemption, line_amount

SYNTAXES: tuple[Literal["cii", "ubl"], ...] = ("cii", "ubl")
FULL = LineTax(category="S", rate=Decimal(20))
REDUCED = LineTax(category="S", rate=Decimal("5.5"))
NONE = Decimal(0)
SELLER: dict[str, Any] = {
    "name": "Voltige Énergie SAS",
    "vat_id": "FR83404833048",
    "legal_id": {"value": "404833048", "scheme": "0002"},
    "legal_text": "SAS au capital de 100 000 €, RCS Lyon 404 833 048",
    "electronic_address": {"value": "404833048", "scheme": "0225"},
    "address": {"lines": ["1 rue de la Source"], "postcode": "69001", "city": "Lyon", "country": "FR"},
}
BUYER: dict[str, Any] = {
    "name": "Boulangerie & Fils <Martin>",
    "vat_id": "FR32552100554",
    "legal_id": {"value": "552100554", "scheme": "0002"},
    "electronic_address": {"value": "552100554", "scheme": "0225"},
    "address": {"lines": ["2 place du Four"], "postcode": "75011", "city": "Paris", "country": "FR"},
}
NOTES = [
    {"subject": "PMT", "text": "Indemnité forfaitaire pour frais de recouvrement : 40 €."},
    {"subject": "PMD", "text": "Pénalités de retard : trois fois le taux d'intérêt légal."},
    {"subject": "AAB", "text": "Pas d'escompte pour paiement anticipé."},
]


def line(number: int, name: str, quantity: str, unit: str, price: str, tax: LineTax, **more: Any) -> InvoiceLine:
    amount = line_amount(
        Decimal(quantity),
        Decimal(price),
        Decimal(more.get("price_base", "1")),
        more.get("allowances_charges", ()),
        more.pop("currency", "EUR"),
    )
    return InvoiceLine(
        id=str(number), name=name, quantity=quantity, unit=unit, price=price, net_amount=amount, tax=tax, **more
    )


def invoice(*lines: InvoiceLine, **more: Any) -> Invoice:
    fields: dict[str, Any] = {
        "number": "INV/2026/11/0001",
        "issue_date": "2026-11-05",
        "due_date": "2026-12-05",
        "business_process": "S1",
        "currency": "EUR",
        "seller": SELLER,
        "buyer": BUYER,
        "payment": {"means": "58", "iban": "FR7630006000011234567890189", "bic": "AGRIFRPPXXX", "remittance": "INV 1"},
        "notes": NOTES,
        "period": {"start": "2026-10-01", "end": "2026-11-01"},
    }
    return invoice_of(lines=lines, **{**fields, **more})


def _abroad(country: str, vat_id: str | None) -> dict[str, Any]:
    return {
        "name": "Kunde GmbH",
        "vat_id": vat_id,
        "electronic_address": {"value": "kunde@example.com", "scheme": "EM"},
        "address": {"lines": ["Hauptstraße 1"], "postcode": "10115", "city": "Berlin", "country": country},
    }


def _without_tax(category: Any, buyer: dict[str, Any], **more: Any) -> Invoice:
    return invoice(line(1, "Support", "3", "HUR", "100", LineTax(category=category, rate=NONE)), buyer=buyer, **more)


def _energy() -> Invoice:
    months = [f"2026-{month:02d}-01" for month in range(5, 12)]
    bars = [
        {
            "period": {"start": start, "end": end},
            "quantity": str(200 + 17 * place),
            "mark": "estimated" if place == 5 else "real",
        }
        for place, (start, end) in enumerate(pairwise(months))
    ]
    return invoice(
        line(1, "Abonnement 9 kVA", "1", "MON", "12.6025", REDUCED, section="Abonnement"),
        line(2, "Heures pleines", "180.5", "KWH", "0.17036", FULL, section="Consommation", mark="estimated"),
        line(3, "Heures creuses", "104", "KWH", "0.12921", FULL, section="Consommation", mark="real"),
        contract="C-2026-18",
        usage=[{"label": "Consommation", "point": "14123456789012", "unit": "kWh", "bars": bars}],
    )


def _adjusted() -> Invoice:
    off = AllowanceCharge(
        kind="allowance",
        amount=Decimal("5.00"),
        base=Decimal("50"),
        percent=Decimal(10),
        reason="Remise",
        reason_code="95",
    )
    on = AllowanceCharge(kind="charge", amount=Decimal("2.50"), reason="Mise en service", reason_code="FC")
    return invoice(
        line(1, "SMS", "500", "C62", "0.1", FULL, allowances_charges=(off, on), price_discount="0.02"),
        line(2, "Data", "3000", "4L", "5", FULL, price_base="1000"),
        allowances_charges=[
            AllowanceCharge(kind="allowance", amount=Decimal("7.00"), reason="Fidélité", reason_code="95", tax=FULL),
            AllowanceCharge(
                kind="charge", amount=Decimal("1.20"), reason="Facture papier", reason_code="ADR", tax=FULL
            ),
        ],
    )


CASES: dict[str, Callable[[], Invoice]] = {
    "standard": lambda: invoice(
        line(1, "Forfait", "2", "C62", "49.90", FULL, article="F-1"), purchase_order="PO-7", buyer_reference="R&D"
    ),
    "several_rates": lambda: invoice(
        line(1, "Forfait", "1", "C62", "10.33", FULL), line(2, "Livre", "3", "C62", "7.77", REDUCED)
    ),
    "exempt": lambda: _exempt(),
    "reverse_charge": lambda: _without_tax(
        "AE", _abroad("DE", "DE136695976"), reasons={"AE": Exemption("Autoliquidation", "VATEX-EU-AE")}
    ),
    "export": lambda: _without_tax("G", _abroad("CH", None)),
    "intra_community": lambda: _without_tax(
        "K", _abroad("DE", "DE136695976"), deliver_to=_abroad("DE", None), delivery_date="2026-10-31"
    ),
    "adjusted": _adjusted,
    "credit_note": lambda: invoice(
        line(1, "Forfait", "2", "C62", "49.90", FULL),
        number="CN/2026/11/0001",
        type="381",
        preceding=[{"number": "INV/2026/11/0001", "issue_date": "2026-11-05"}],
    ),
    "negative_line": lambda: invoice(
        line(1, "Forfait", "2", "C62", "49.90", FULL), line(2, "Trop-perçu", "-1", "C62", "12.34", FULL)
    ),
    "prepaid_and_rounding": lambda: invoice(
        line(1, "Forfait", "1", "C62", "33.33", FULL), prepaid=Decimal("10.00"), rounding=Decimal("0.04")
    ),
    "yen": lambda: invoice(
        line(1, "通話", "7", "MIN", "33.3", LineTax(category="S", rate=Decimal(10)), currency="JPY"), currency="JPY"
    ),
    "energy": _energy,
    "direct_debit": lambda: invoice(
        line(1, "Forfait", "1", "C62", "19.99", FULL),
        payment={
            "means": "59",
            "mandate": "RUM-1",
            "creditor_id": "FR12ZZZ123456",
            "debited_iban": "FR7630006000011234567890189",
        },
    ),
}


def _exempt() -> Invoice:
    reasons = {"E": Exemption("Exonération, article 261 C du CGI", "VATEX-FR-CGI261C-2")}
    return invoice(line(1, "Assurance", "1", "C62", "15", LineTax(category="E", rate=NONE)), reasons=reasons)  # type: ignore[arg-type]


GOLDEN = Path(__file__).resolve().parents[1] / "unit" / "connectors" / "einvoice_golden"


def _write_golden() -> None:
    from connectors.einvoice.writing import write_xml

    GOLDEN.mkdir(exist_ok=True)
    for name, make in CASES.items():
        for syntax in SYNTAXES:
            (GOLDEN / f"{name}.{syntax}.xml").write_bytes(write_xml(make(), syntax))


if __name__ == "__main__":
    _write_golden()
