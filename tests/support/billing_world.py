"""A catalog with every kind of billed account, usage of October, and the steps of billing runs on it in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli_octroi import octroi

from apps.embedded.access import open_owned
from apps.embedded.billing_run import bill_run
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.settings import Settings

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: source, code: calls, format: delimited, mapping: {identity: [id], access_point: caller, time: {field: at}, quantity: {field: s}, event_type: {constant: call}}}
---
{kind: price_plan, code: call, currency: EUR, versions: [{start: "2020-01-01T00:00:00Z", model: flat, per: 1 s, price: "0.01"}]}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: offer, code: mobile, charges: [call]}
---
{kind: seller, code: shop, country: FR, prices: net, tax_category: consumer}
---
{kind: tax_category, code: consumer}
---
{kind: tax, code: vat, versions: [{start: "2020-01-01T00:00:00Z", end: "2026-10-16T00:00:00Z", rate: "20"}, {start: "2026-10-16T00:00:00Z", rate: "10"}]}
---
{kind: tax_mapping, code: main, rows: [{tax_category: consumer, tax: vat}]}
---
{kind: discount_plan, code: tenth, items: [{code: off, type: percentage, value: "10"}]}
---
{kind: account, code: ana, currency: EUR, country: FR}
---
{kind: account, code: ana-car, currency: EUR, level: user_account, parent: ana}
---
{kind: account, code: ben, currency: EUR, country: FR, wallets: [{code: credit, type: prepaid, opening_balance: "1"}, {code: principal, type: postpaid}]}
---
{kind: account, code: cleo, currency: EUR, country: FR, discounts: [{plan: tenth}]}
---
{kind: account, code: dan, currency: EUR, country: FR, tax_exemption: {reason: embassy}}
---
{kind: subscription, code: ana-1, account: ana, offer: mobile, access_points: [{id: "1"}]}
---
{kind: subscription, code: ana-2, account: ana-car, offer: mobile, access_points: [{id: "2"}]}
---
{kind: subscription, code: ben-1, account: ben, offer: mobile, access_points: [{id: "3"}]}
---
{kind: subscription, code: cleo-1, account: cleo, offer: mobile, access_points: [{id: "4"}]}
---
{kind: subscription, code: dan-1, account: dan, offer: mobile, access_points: [{id: "5"}]}
---
{kind: billing_cycle, code: monthly, default: true, zone: Europe/Paris, number: "INV-{year}-{month}-{number:4}"}
"""
USAGE = """id,caller,at,s
1,1,2026-10-02T10:00:00Z,33
2,1,2026-10-20T10:00:00Z,33
3,2,2026-10-03T10:00:00Z,33
4,3,2026-10-04T10:00:00Z,90
5,3,2026-10-04T11:00:00Z,50
6,3,2026-10-04T12:00:00Z,200
7,4,2026-10-05T10:00:00Z,1005
8,5,2026-10-06T10:00:00Z,100
9,1,2026-10-31T22:59:59Z,1
10,1,2026-10-31T23:00:00Z,700
"""

SELLER = """
invoicing:
  party: {name: Voltige SAS, vat_id: FR83404833048, legal_id: {value: "404833048", scheme: "0002"}, electronic_address: {value: "404833048", scheme: "0225"}, address: {lines: [1 rue de la Source], postcode: "69001", city: Lyon, country: FR}}
  payment: {means: "58", iban: FR7630006000011234567890189}
  business_process: S1
  notes: [{subject: PMT, text: "Frais de recouvrement : 40 €."}, {subject: PMD, text: "Pénalités : trois fois le taux légal."}, {subject: AAB, text: "Pas d'escompte."}]
"""
WORDING = """
---
{kind: invoice_wording, code: fr, language: fr, charges: {call: Appels}, discounts: {tenth/off: Remise fidélité}}
---
{kind: invoice_wording, code: en, language: en, charges: {call: Calls}}
"""


def _party(name: str, more: str = "") -> str:
    return f'invoicing: {{party: {{name: {name}, electronic_address: {{value: "552100554", scheme: "0225"}}, address: {{postcode: "75011", city: Paris, country: FR}}}}{more}}}'


def documented(*, every: bool) -> str:
    """Return CATALOG with what documents need: who sells, who buys, what things are called; of dan only where `every`."""
    text = CATALOG.replace(
        "{kind: seller, code: shop, country: FR, prices: net, tax_category: consumer}",
        f"kind: seller\ncode: shop\ncountry: FR\nprices: net\ntax_category: consumer{SELLER}",
    )
    names = {
        "ana": ("Ana & <Fils>", ""),
        "ben": (
            "Ben",
            ", language: en, payment: {means: '59', mandate: RUM-1, debited_iban: FR7630006000011234567890189}",
        ),
        "cleo": ("Cléo", ", purchase_order: PO-7"),
    } | ({"dan": ("Dan", "")} if every else {})
    for code, (name, more) in names.items():
        text = text.replace(f"{{kind: account, code: {code},", f"{{kind: account, code: {code}, {_party(name, more)},")
    text = text.replace("{reason: embassy}", "{reason: embassy, category: E, reason_code: VATEX-EU-151}")
    return text + WORDING


def make_usage(directory: Path, catalog: str = CATALOG) -> Path:
    """Return a data directory with usage of October, rated; nothing is billed."""
    data = directory / "data"
    (data / "catalog").mkdir(parents=True)
    (data / "catalog" / "all.yaml").write_text(catalog)
    file = directory / "calls.csv"
    file.write_text(USAGE)
    octroi("ingest", file, "--source", "calls", "--data", data).ok()
    return data


def with_engine(data: Path, act: Callable[[Any], Any]) -> Any:
    """Let something act on the engine of a data directory, recovered, and close it."""
    directory = DataDirectory(data)
    with OwnerLock(directory.lock):
        engine, _ = open_owned(directory, Settings(data_dir=data), lambda text: None)
        try:
            engine.recover()
            return act(engine)
        finally:
            engine.close()


def plan(engine: Any, run: str = "oct", **more: Any) -> dict[str, Any]:
    """Plan a run of October."""
    asked = {"until": "2026-11-01", "accounts": [], **more}
    return bill_run(engine, {"step": "plan", "run": run, **asked})


def step(engine: Any, which: str, run: str = "oct", **more: Any) -> dict[str, Any]:
    """Do a step of a run, whole."""
    return bill_run(engine, {"step": which, "run": run, "seconds": 600, "without": (), **more})
