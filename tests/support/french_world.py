"""A French supplier: tariffs as they are shipped, sources as they are shipped, customers, flows; and what lines come to with VAT."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from cli_octroi import octroi, query

from billing.catalog.store import load_catalog
from billing.catalog.taxation import Taxation
from billing.catalog.templates import find_tariff, find_template
from billing.invoicing.rules_taxes import InvoiceTaxes, TaxedSum, invoice_taxes
from schemas.money import AMOUNT_DECIMALS, to_scaled
from schemas.price_plan import Rounding

TARIFFS = ("fr_energy", "fr_turpe_c5", "fr_turpe_c4", "fr_cta", "fr_excise", "fr_trve_base", "fr_atrd7")
SOURCES = ("enedis_r15_operations", "enedis_indexes", "enedis_f15", "enedis_c15", "grdf_gas")
HEAD = "<En_Tete_Flux><Date_Creation>{made}T05:00:00+02:00</Date_Creation></En_Tete_Flux>"
OFFERS = """
{kind: seller, code: supplier, country: FR, prices: net, tax_category: consumer}
---
{kind: account, code: customers, currency: EUR}
---
{kind: price_plan, code: passed-on, currency: EUR, versions: [{start: "2020-01-01T00:00:00Z", model: flat, per: 1 eur, price: "1"}]}
---
{kind: charge, code: services, event_type: distributor_line, price_plan: passed-on, tax_class: energy}
---
{kind: price_plan, code: nothing, currency: EUR, versions: [{start: "2020-01-01T00:00:00Z", model: event, price: 0}]}
---
{kind: charge, code: events, event_type: contract_event, price_plan: nothing, tax_class: energy}
---
{kind: offer, code: blue-6, charges: [excise-electricity-households, trve-base-energy, network-included, trve-base-6, cta-c5, cta-cs-cu4, services, events]}
---
{kind: offer, code: blue-9, charges: [excise-electricity-households, trve-base-energy, network-included, trve-base-9, cta-c5, cta-cs-cu4, services, events]}
---
{kind: offer, code: network, charges: [turpe-cg, turpe-cc, turpe-cs-cu4, turpe-cv-cu4, excise-electricity-households, trve-base-energy]}
---
{kind: offer, code: plant, charges: [turpe-sup-cg, turpe-sup-cc, turpe-sup-cu-cs-hph, turpe-sup-cu-cs-hch, turpe-sup-cu-cs-hpb, turpe-sup-cu-cs-hcb, turpe-sup-cu-cv, turpe-sup-cmdps, excise-electricity-business, services]}
---
{kind: offer, code: large-network, charges: [turpe-sup-cg, turpe-sup-cc, turpe-sup-cu-cs-hph, turpe-sup-cu-cs-hch, turpe-sup-cu-cs-hpb, turpe-sup-cu-cs-hcb]}
---
{kind: offer, code: heating, charges: [excise-gas, atrd-t2-energy, gas-energy, atrd-t2, cta-gas-t2]}
---
{kind: price_plan, code: gas-energy, currency: EUR, versions: [{start: "2024-01-01T00:00:00Z", model: flat, per: 1 kWh, price: "0.05"}]}
---
{kind: charge, code: gas-energy, event_type: gas, price_plan: gas-energy, tax_class: energy}
---
kind: source
code: overruns
format: delimited
mapping:
  identity: [point, at]
  access_point: point
  time: {field: at}
  quantity: {field: hours, unit: h}
  event_type: {constant: overrun_time}
"""


def write_french(data: Path, subscriptions: Iterable[str], *, hold: bool = True) -> Path:
    """Write the catalog of a data directory: each event type once, sources, offers, and subscriptions (YAML, one a document)."""
    directory = data / "catalog"
    directory.mkdir(parents=True, exist_ok=True)
    kept: dict[tuple[str, str], str] = {}
    for text in [find_tariff(name).text for name in TARIFFS] + [_adapted(name, hold=hold) for name in SOURCES]:
        for document in text.split("\n---\n"):
            kind = re.search(r"^\{?kind: (\w+)", document, re.MULTILINE)
            code = re.search(r"\bcode: ([\w.-]+)", document[kind.start() if kind else 0 :])
            assert kind is not None
            assert code is not None
            kept.setdefault((kind[1], code[1]), document)
    documents = [*kept.values(), OFFERS, *subscriptions]
    (directory / "catalog.yaml").write_text("\n---\n".join(document.strip("\n") for document in documents))
    return data


def _adapted(name: str, *, hold: bool) -> str:
    text = find_template(name).text
    if name == "enedis_indexes":
        text = text.replace("electricity_index", "electricity").replace(
            "attributes: [class]", "attributes: [class, nature]"
        )
    if name == "grdf_gas":
        text = text.replace("records: quantities\n", "records: quantities\ncut: month\n")
    return text if hold else text.replace("hold: true\n", "")


def subscription(code: str, offer: str, point: str, start: str, end: str = "", units: str = "kVA: 6") -> str:
    """Return a subscription for civil days of Paris, which are given with their offsets."""
    ends = f', end: "{end}"' if end else ""
    return (
        f'{{kind: subscription, code: {code}, account: customers, offer: {offer}, units: {{{units}}}, start: "{start}"{ends}, '
        f'access_points: [{{id: "{point}", start: "{start}"{ends}}}]}}'
    )


def r15(made: str, readings: dict[str, list[str]]) -> str:
    """Return an R15 file: readings by point."""
    points = "".join(f"<PRM><Id_PRM>{point}</Id_PRM>{''.join(each)}</PRM>" for point, each in readings.items())
    return f"<R15>{HEAD.format(made=made)}{points}</R15>"


def energy(
    identity: str, start: str, end: str, *, status: str = "INITIAL", nature: str = "REEL",
    supplier: dict[str, int], distributor: dict[str, int] | None = None,
) -> str:  # fmt: skip
    """Return a reading with the energy of a period, kWh by class of each grid; instants with their offsets."""
    classes = _classes("Classe_Temporelle", supplier) + _classes("Classe_Temporelle_Distributeur", distributor or {})
    return (
        f"<Donnees_Releve><Id_Releve>{identity}</Id_Releve><Date_Releve>{end}</Date_Releve><Id_Calendrier>FC022034</Id_Calendrier>"
        f"<Id_Calendrier_Distributeur>DI000003</Id_Calendrier_Distributeur><Statut_Releve>{status}</Statut_Releve>"
        f"<Nature_Consommation>{nature}</Nature_Consommation><Date_Releve_Precedent>{start}</Date_Releve_Precedent>"
        f"{classes}</Donnees_Releve>"
    )


def _classes(tag: str, values: dict[str, int]) -> str:
    return "".join(
        f"<{tag}><Id_Classe_Temporelle>{name}</Id_Classe_Temporelle><Classe_Mesure>2</Classe_Mesure>"
        f"<Unite_Mesure>kWh</Unite_Mesure><Sens_Mesure>0</Sens_Mesure><Valeur>{kwh}</Valeur></{tag}>"
        for name, kwh in values.items()
    )


def take(data: Path, source: str, *files: tuple[str, str]) -> None:
    """Drop files into the spool of a source."""
    folder = data / "spool" / source
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files:
        (folder / name).write_text(text)


def lines(data: Path) -> dict[str, dict[tuple[str, str], Decimal]]:
    """Return, of each subscription, what stands for each charge and price: (charge, start of the version in Paris): amount."""
    rows = query(
        data,
        "SELECT subscription, charge, formatDateTime(price_version_start, '%F', 'Europe/Paris') AS price, toString(sum(amount)) AS amount "
        "FROM rated_item GROUP BY subscription, charge, price ORDER BY subscription, charge, price",
    )
    found: dict[str, dict[tuple[str, str], Decimal]] = {}
    for row in rows:
        found.setdefault(row["subscription"], {})[row["charge"], row["price"]] = Decimal(row["amount"])
    return found


def invoice(data: Path, subscription: str, first: str, after: str) -> InvoiceTaxes:
    """Return the taxes of what a subscription used in [first, after), days of Paris: as a bill works them out."""
    rows: list[dict[str, Any]] = query(
        data,
        "SELECT charge, toInt64(toUnixTimestamp64Micro(event_at)) AS event_at, toString(amount) AS amount FROM rated_item "
        f"WHERE subscription = '{subscription}' AND toDate(event_at, 'Europe/Paris') >= '{first}' "
        f"AND toDate(event_at, 'Europe/Paris') < '{after}' ORDER BY id",
    )
    catalog = load_catalog(data / "catalog")
    items = pl.DataFrame({"subscription": subscription, "charge": [row["charge"] for row in rows],
                          "event_at": [int(row["event_at"]) for row in rows]})  # fmt: skip
    places, dues = Taxation(catalog).due(items)
    sums = [
        TaxedSum(tuple(dues[place].parts), to_scaled(Decimal(row["amount"]), AMOUNT_DECIMALS))
        for row, place in zip(rows, places, strict=True)
    ]
    return invoice_taxes(sums, "net", Rounding(decimals=2))


def operations(data: Path, *options: str) -> list[dict[str, Any]]:
    """Return the operations as the command lists them."""
    found: list[dict[str, Any]] = (
        octroi("energy", "traitement", "--data", data, "--json", *options).ok().json["operations"]
    )
    return found
