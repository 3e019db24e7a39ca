"""Answers of the ADICT interface and readings of GRDF's portal as records.

ADICT, each a document: published and informative consumption, published injection, contractual and technical data.
Only what is named here is read: no address of a point comes any further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.grdf import words
from schemas.energy import RecordKind

ENERGY, INJECTION, CONTRACT, TECHNICAL = "consommation", "injection", "donnees_contractuelles", "donnees_techniques"
FINAL = {"définitive": 1, "definitive": 1}
ENDS = (("releve_debut", "debut", "date_debut_consommation"), ("releve_fin", "fin", "date_fin_consommation"))
DIALS = (("index_brut", "raw"), ("index_converti", "converted"))


def _inside(holder: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the object at a path, an empty one where there is none."""
    for name in path:
        found = holder.get(name)
        holder = found if isinstance(found, dict) else {}
    return holder


def _said(holder: dict[str, Any], name: str, *path: str) -> str:
    """Return the text at a path."""
    for step in path:
        holder, name = _inside(holder, name), step
    return words.text(holder.get(name))


def restitution(document: dict[str, Any]) -> str:
    """Return what an answer says went wrong, which comes inside an answer that went well; "" when nothing did."""
    found = document.get("statut_restitution")
    if isinstance(found, dict):
        found = " ".join(words.text(value) for value in found.values())
    told = words.text(found)
    return f"statut_restitution is {told}" if told else ""


def _consumption(document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return (what was consumed or injected, its direction)."""
    if isinstance(document.get(INJECTION), dict):
        return _inside(document, INJECTION), "production"
    found = _inside(document, ENERGY)
    return found, words.direction(_said(found, "sens_flux_gaz"))


def _common(document: dict[str, Any], found: dict[str, Any], line: int) -> Row:
    state = _said(found, "statut_conso")
    publication = words.publication(_said(found, "type_conso"))
    unknown = "" if publication in (words.PUBLISHED, words.INFORMATIVE) else f"type_conso is {publication}"
    return {
        "flow": "ADICT",
        "point": _said(document, "pce", "id_pce"),
        "line": str(line),
        "version": common.version(
            words.gas_day_start(_said(document, "bordereau_publication", "date_fin_bordereau")),
            "R" if FINAL.get(state.casefold()) else "I",
        ),
        "status": "I",
        "publication": publication if not unknown else "",
        "doubt": restitution(document) or unknown,
    }


def quantities(document: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield the energy of a period."""
    found, direction = _consumption(document)
    start = common.instant(_said(found, "date_debut_consommation"))
    end = common.instant(_said(found, "date_fin_consommation"))
    volume, converted = _said(found, "volume_brut"), _said(found, "volume_converti")
    volume = converted if (common.number(converted) or 0) != 0 else volume
    yield _common(document, found, line) | energy_row(
        start,
        end,
        _said(found, "energie"),
        volume,
        _said(found, "coeff_calcul", "coeff_conversion"),
        _said(found, "journee_gaziere"),
    ) | {
        "direction": direction,
        "nature": words.nature(_said(found, "type_qualif_conso")),
        "reason": _said(document, "releve_fin", "raison_releve"),
    }  # fmt: skip


def energy_row(start: str, end: str, energy: str, volume: str, coefficient: str, day: str) -> Row:
    """Return the columns of the energy of a period, what is odd among them.

    Args:
        start, end: instants in UTC. energy: in kWh, the distributor's own: it is what is billed. volume: in m3. day: the gas
            day that the flow names, "" for none.
    """
    value = words.watt_hours(energy)
    computed, odd = words.conversion(volume, coefficient, energy)
    if day and common.parsed(start) is not None and words.gas_day_start(day) != start:
        odd = odd or f"the gas day {day} does not begin at {start}"
    elif words.off_the_gas_day(start) or words.off_the_gas_day(end):
        odd = odd or f"{start} to {end} are no gas days"
    return {
        "start": start,
        "end": end,
        "measure": "consumption",
        "unit": "Wh",
        "value": value,
        "net": value,
        "volume": volume,
        "coefficient": coefficient,
        "computed": computed,
        "warning": odd,
    }


def readings(document: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield the indexes at both ends of a period, in m3: of the meter, and of its converter where there is one."""
    found, direction = _consumption(document)
    known = _common(document, found, line)
    for holder, end, fallback in ENDS:
        side = _inside(document, holder)
        for dial, name in DIALS:
            index = _inside(side, f"{dial}_{end}")
            value = words.text(index.get("valeur_index"))
            if not value:
                continue
            at = words.text(index.get("horodate_Index")) or _said(side, "date_releve") or _said(found, fallback)
            yield known | {
                "at": common.instant(at),
                "dial": name,
                "measure": "volume",
                "direction": direction,
                "unit": "m3",
                "value": value,
                "rolls_over_at": _roll_over(document, found, dial) if end == "fin" else "",
                "nature": words.nature(_said(side, "qualite_releve")),
                "reason": _said(side, "raison_releve"),
            }


def _roll_over(document: dict[str, Any], found: dict[str, Any], dial: str) -> str:
    """Return at which index a dial began again at 0: what it said, and what went through it, less what it says."""
    if found.get("flag_retour_zero") is not True:
        return ""
    volume = "volume_brut" if dial == "index_brut" else "volume_converti"
    began = common.number(_said(document, "releve_debut", f"{dial}_debut", "valeur_index"))
    ended = common.number(_said(document, "releve_fin", f"{dial}_fin", "valeur_index"))
    through = common.number(_said(found, volume))
    return "" if began is None or ended is None or through is None else common.plain(began + through - ended)


def states(document: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield how a point is served: by its contract, or by its meter. Where it is, is left out."""
    contract, technical = _inside(document, CONTRACT), _inside(document, TECHNICAL)
    since = _said(contract, "date_mes")
    yield {
        "flow": "ADICT",
        "point": _said(document, "pce", "id_pce"),
        "line": str(line),
        "version": common.version(""),
        "at": words.gas_day_start(since) if since else "",
        "kind": "STATE",
        "nature": CONTRACT if contract else TECHNICAL,
        "category": "CONTRAT" if contract else "TECHNIQUE",
        "in_service_on": since,
        "tariff": _said(contract, "tarif_acheminement"),
        "profile": _said(contract, "profil", "profil_type_actuel"),
        "annual_wh": words.watt_hours(_said(contract, "car")),
        "daily_wh": words.watt_hours(_said(contract, "cja")),
        "frequency": _said(technical, "caracteristiques_compteur", "frequence"),
        "exit_point": _said(technical, "pitd", "identifiant_pitd"),
        "doubt": restitution(document),
    }


def portal_quantities(point: str, reading: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield the energy of a period as the portal shows it."""
    converted, volume = words.text(reading.get("volumeConverti")), words.text(reading.get("volumeBrutConsomme"))
    yield _portal(point, reading, line) | energy_row(
        words.gas_day_clock(words.text(reading.get("dateDebutReleve"))),
        words.gas_day_clock(words.text(reading.get("dateFinReleve"))),
        words.text(reading.get("energieConsomme")),
        converted if (common.number(converted) or 0) != 0 else volume,
        words.text(reading.get("coeffConversion")),
        words.text(reading.get("journeeGaziere")),
    )  # fmt: skip


def portal_readings(point: str, reading: dict[str, Any], line: int) -> Iterator[Row]:
    """Yield the indexes at both ends of a period as the portal shows them."""
    for name, at in (("indexDebut", "dateDebutReleve"), ("indexFin", "dateFinReleve")):
        if value := words.text(reading.get(name)):
            yield _portal(point, reading, line) | {
                "at": words.gas_day_clock(words.text(reading.get(at))),
                "dial": "raw",
                "measure": "volume",
                "unit": "m3",
                "value": value,
            }


def _portal(point: str, reading: dict[str, Any], line: int) -> Row:
    publication = words.publication(words.text(reading.get("natureReleve")))
    unknown = "" if publication in (words.PUBLISHED, words.INFORMATIVE) else f"natureReleve is {publication}"
    return {
        "flow": "portal",
        "point": point,
        "line": str(line),
        "version": common.version(""),
        "status": "I",
        "direction": "consumption",
        "nature": words.nature(words.text(reading.get("qualificationReleve"))),
        "publication": "" if unknown else publication,
        "doubt": unknown,
    }


Walk = Callable[[dict[str, Any], int], Iterator[Row]]
PortalWalk = Callable[[str, dict[str, Any], int], Iterator[Row]]
ADICT: dict[RecordKind, tuple[tuple[str, ...], Walk]] = {
    "quantities": ((ENERGY, INJECTION), quantities),
    "readings": ((ENERGY, INJECTION), readings),
    "events": ((CONTRACT, TECHNICAL), states),
}
"""Which kinds of records answers have: by the members that they are known by, and how they are read."""
PORTAL: dict[RecordKind, PortalWalk] = {"quantities": portal_quantities, "readings": portal_readings}
