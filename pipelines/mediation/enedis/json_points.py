"""The JSON flow C68 as records: how points are supplied and under which contract.

Only what is named here is read of a point: no name, telephone number or address of a customer comes any further.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.json_members import items, text
from pipelines.mediation.enedis.xml_large import STATE, largest


def c68_events(point: dict[str, Any], line: int, created: str) -> Iterator[Row]:
    """Yield how a point stands under each of its contracts."""
    for situation in items(point, "situationsContractuelles"):
        tariff: dict[str, Any] = situation.get("structureTarifaire") or {}
        powers = _powers(tariff)
        since, meters = text(situation, "dateDebut"), _meters(point)
        yield {
            "flow": "C68",
            "point": text(point, "idPrm"),
            "line": str(line),
            "created_at": words.instant(created) if created else "",
            "version": words.version(created),
            "at": words.day_start(since),
            "kind": STATE,
            "nature": text(situation, "nature") or STATE,
            "category": text(tariff, "contexteUtilisation"),
            "segment": text(situation, "segment"),
            "situation": text(situation, "informationsContractuelles", "contrat", "referenceContrat"),
            "state": text(situation, "informationsContractuelles", "etatContractuel"),
            "in_service_on": text(point, "syntheseContractuelle", "dateDerniereMiseEnServiceSoutirage")[:10],
            "sequence_from": since[:10],
            "tariff": text(tariff, "formuleTarifaireAcheminement", "code"),
            "power": text(tariff, "puissanceSouscrite", "valeur") or largest(powers),
            "power_unit": text(tariff, "puissanceSouscrite", "unite"),
            "powers": " ".join(f"{name}={power}" for name, power in powers),
            "distributor_calendar": text(tariff, "grilleTurpe", "calendrier", "code"),
            "supplier_calendar": text(tariff, "grilleFournisseur", "calendrier", "code"),
            "off_peak": words.mended(text(point, "situationComptage", "relais", "plageHeuresCreuses", "libelle")),
            "frequency": text(point, "situationComptage", "caracteristiquesReleve", "periodicite"),
            "meter": meters,
        }


def _powers(tariff: dict[str, Any]) -> list[tuple[str, str]]:
    grid = tariff.get("grilleTurpe") or {}
    return [
        (words.time_class(text(item, "code")), power)
        for item in items(grid, "classesTemporelles")
        if (power := text(item, "puissance", "valeur"))
    ]


def _meters(point: dict[str, Any]) -> str:
    metering = point.get("situationComptage") or {}
    return next((text(item, "numeroSerie") for item in items(metering, "compteurs")), "")
