"""Words, dates and numbers of invoices on paper, in French and English."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

Language = Literal["fr", "en"]
UNITS = {
    "C62": "", "KWH": "kWh", "MWH": "MWh", "MIN": "min", "SEC": "s", "HUR": "h", "DAY": "d", "MON": "mo", "ANN": "a",
    "E34": "GB", "4L": "MB", "MTQ": "m³", "LS": "", "E48": "", "KVA": "kVA", "KWT": "kW",
}  # fmt: skip
FRENCH_UNITS = {"DAY": "j", "MON": "mois", "ANN": "an", "E34": "Go", "4L": "Mo"}
WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "380": "Invoice", "381": "Credit note", "384": "Corrected invoice", "draft": "DRAFT, not an invoice",
        "seller": "From", "buyer": "To", "page": "Page", "subtotal": "Subtotal", "taxes": "VAT", "payment": "Payment",
        "columns": ["Description", "Quantity", "Unit price", "VAT", "Net amount"],
        "issue": "Date", "due": "Due on", "period": "Period", "tax_point": "Tax point", "contract": "Contract",
        "order": "Order", "reference": "Your reference", "preceding": "Concerns", "vat": "VAT number", "legal": "Registered",
        "lines": "Sum of lines", "allowances": "Allowances", "charges": "Charges", "net": "Total without VAT",
        "tax": "Total VAT", "gross": "Total with VAT", "prepaid": "Paid already", "rounding": "Rounding",
        "payable": "To be paid", "refund": "To be refunded", "iban": "IBAN", "bic": "BIC", "mandate": "Mandate",
        "creditor": "Creditor identifier", "remittance": "Reference", "terms": "Terms", "debited": "Debited account",
        "real": "index read", "estimated": "estimated", "customer": "index told by the customer", "on": "on",
        "point": "Delivery point", "legend": "grey: estimated", "to": "to", "delivered": "Delivered to",
    },
    "fr": {
        "380": "Facture", "381": "Avoir", "384": "Facture rectificative", "draft": "PROJET, n'est pas une facture",
        "seller": "Vendeur", "buyer": "Client", "page": "Page", "subtotal": "Sous-total", "taxes": "TVA",
        "payment": "Paiement", "columns": ["Désignation", "Quantité", "Prix unitaire", "TVA", "Montant HT"],
        "issue": "Date", "due": "Échéance", "period": "Période", "tax_point": "Exigibilité", "contract": "Contrat",
        "order": "Commande", "reference": "Votre référence", "preceding": "Concerne", "vat": "N° de TVA",
        "legal": "Immatriculation", "lines": "Total des lignes", "allowances": "Remises", "charges": "Frais",
        "net": "Total HT", "tax": "Total TVA", "gross": "Total TTC", "prepaid": "Déjà payé", "rounding": "Arrondi",
        "payable": "Net à payer", "refund": "À rembourser", "iban": "IBAN", "bic": "BIC", "mandate": "Mandat (RUM)",
        "creditor": "Identifiant créancier (ICS)", "remittance": "Référence", "terms": "Conditions",
        "debited": "Compte débité", "real": "index relevé", "estimated": "estimé", "customer": "index communiqué par le client",
        "on": "sur", "point": "Point de livraison", "legend": "gris : estimé", "to": "au", "delivered": "Livré à",
    },
}  # fmt: skip


def day_text(day: date, language: Language) -> str:
    """Return a day as people write it: 03/11/2026 in French, 3 November 2026 needs no locale in English: 2026-11-03."""
    return f"{day:%d/%m/%Y}" if language == "fr" else day.isoformat()


def number_text(value: Decimal, language: Language, decimals: int | None = None) -> str:
    """Return a number with groups of thousands, by no-break spaces and a comma in French; all its decimals, or so many."""
    text = f"{value:,f}" if decimals is None else f"{value:,.{decimals}f}"
    if decimals is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", "\u202f").replace(".", ",") if language == "fr" else text


def unit_text(code: str, language: Language) -> str:
    """Return a unit as people write it; the code of Recommendation 20 where we know no better."""
    french = FRENCH_UNITS.get(code) if language == "fr" else None
    return french or UNITS.get(code, code)
