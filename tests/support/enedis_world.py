"""A supplier of electricity with one customer, and the files of its distributor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from billing.catalog.templates import find_template

POINT = "09111642617347"
SOLD = f"""\
kind: price_plan
code: energy
currency: EUR
versions:
  - {{start: "2020-01-01T00:00:00Z", end: "2026-01-31T23:00:00Z", model: flat, per: "1 kWh", price: "0.20", rounding: {{decimals: 2}}}}
  - {{start: "2026-01-31T23:00:00Z", model: flat, per: "1 kWh", price: "0.25", rounding: {{decimals: 2}}}}
---
kind: price_plan
code: passed-on
currency: EUR
versions:
  - {{start: "2020-01-01T00:00:00Z", model: flat, per: "1 eur", price: "1"}}
---
{{kind: account, code: anna, currency: EUR}}
---
{{kind: subscription, code: anna, account: anna, offer: home, access_points: [{{id: "{POINT}"}}]}}
"""
"""0.20 EUR per kWh until February 2026 begins in Paris, 0.25 EUR after that; each amount in cents."""
PLANS = {"distributor_line": "passed-on"}


def write_supplier(data: Path, templates: Sequence[str], **changes: str) -> Path:
    """Write the catalog of a data directory: sources by their templates, and what they measure is sold; return the directory."""
    directory = data / "catalog"
    directory.mkdir(parents=True)
    types: dict[str, None] = {}
    for name in templates:
        text = find_template(name).text
        for old, new in changes.items():
            text = text.replace(old, new)
        for document in text.split("---\n"):
            kind = next(line for line in document.splitlines() if line.startswith("kind: "))
            code = next(line for line in document.splitlines() if line.startswith("code: ")).removeprefix("code: ")
            if kind.startswith("kind: event_type"):
                if code in types:
                    continue
                types[code] = None
            (directory / f"{name}-{code}.yaml").write_text(document)
    charges = "".join(
        f"---\n{{kind: charge, code: {code}, event_type: {code}, price_plan: {PLANS.get(code, 'energy')}}}\n"
        for code in types
    )
    offer = f"---\n{{kind: offer, code: home, charges: [{', '.join(types)}]}}\n"
    unit = "" if "distributor_line" in types else "---\n{kind: unit, code: eur, decimals: 2}\n"
    (directory / "sold.yaml").write_text(SOLD + charges + offer + unit)
    return data


HEAD = "<En_Tete_Flux><Date_Creation>{made}T05:00:00+01:00</Date_Creation><Pas_Publication>30</Pas_Publication></En_Tete_Flux>"


def r15(*readings: str, made: str) -> str:
    """Return an R15 file with readings of the customer's point, made on a day."""
    return f"<R15>{HEAD.format(made=made)}<PRM><Id_PRM>{POINT}</Id_PRM>{''.join(readings)}</PRM></R15>"


def energy(
    identity: str, kwh: int, start: str, end: str, status: str = "INITIAL", nature: str = "REEL", grids: str = "FD"
) -> str:
    """Return a reading of R15 with the energy of a period of days, by the classes of the supplier and the distributor."""
    tags = {"F": "Classe_Temporelle", "D": "Classe_Temporelle_Distributeur"}
    classes = "".join(
        f"<{tags[grid]}><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle><Classe_Mesure>2</Classe_Mesure>"
        f"<Unite_Mesure>kWh</Unite_Mesure><Sens_Mesure>0</Sens_Mesure><Valeur>{kwh}</Valeur></{tags[grid]}>"
        for grid in grids
    )
    return (
        f"<Donnees_Releve><Id_Releve>{identity}</Id_Releve><Date_Releve>{end}T00:00:00+01:00</Date_Releve>"
        f"<Id_Calendrier>FC022034</Id_Calendrier><Statut_Releve>{status}</Statut_Releve>"
        f"<Nature_Consommation>{nature}</Nature_Consommation>"
        f"<Date_Releve_Precedent>{start}T00:00:00+01:00</Date_Releve_Precedent>{classes}</Donnees_Releve>"
    )
