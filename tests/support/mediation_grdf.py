"""Twin of the decoder of GRDF: the records of a file as other means read them, for comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, str]
PARIS = ZoneInfo("Europe/Paris")
NATURES = {
    "Mesuré": "R",
    "Mesure": "R",
    "Estimé": "E",
    "Estime": "E",
    None: "",
    "Absence de Données": "Absence de Données",
}


def utc(at: datetime) -> str:
    """Return an instant as records write it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _checked(energy: Any, volume: Any, coefficient: Any, start: datetime, end: datetime, day: Any) -> Row:
    """Return the columns of an energy; the check is done in fractions."""
    row = {"measure": "consumption", "unit": "Wh", "start": utc(start), "end": utc(end)}
    row["value"] = row["net"] = "" if energy is None else str(energy * 1000)
    row["volume"] = "" if volume is None else str(volume)
    row["coefficient"] = "" if coefficient is None else str(coefficient)
    odd = ""
    if volume is not None and coefficient is not None:
        kwh = int(Fraction(volume) * Fraction(str(coefficient)) + Fraction(1, 2))
        row["computed"] = str(kwh * 1000)
        if energy is not None and abs(energy - kwh) > 1:
            odd = f"energy is {energy} kWh, but {volume} m3 times {coefficient} are {kwh} kWh"
    if not odd and day is not None and f"{start.astimezone(PARIS):%Y-%m-%d %H:%M}" != f"{day} 06:00":
        odd = f"the gas day {day} does not begin at {utc(start)}"
    return row | {"warning": odd}


def portal(text: str) -> Iterator[Row]:
    """Yield the energies of the portal's JSON."""
    for point, found in json.loads(text).items():
        for item in found["releves"]:
            ends = [
                datetime.strptime(item[name][:16], "%Y-%m-%dT%H:%M").replace(tzinfo=PARIS)
                for name in ("dateDebutReleve", "dateFinReleve")
            ]
            volume = item["volumeConverti"] or item["volumeBrutConsomme"]
            yield {
                "flow": "portal", "point": point, "version": "0", "status": "I", "direction": "consumption",
                "nature": NATURES[item["qualificationReleve"]],
                "publication": "published" if item["natureReleve"] == "Publiée" else "informative",
            } | _checked(item["energieConsomme"], volume, item["coeffConversion"], *ends, item["journeeGaziere"])  # fmt: skip


def adict(text: str) -> Iterator[Row]:
    """Yield the energies of answers of ADICT."""
    for line in text.splitlines():
        item = json.loads(line)
        found = item["consommation"]
        ends = [datetime.fromisoformat(found[f"date_{name}_consommation"]) for name in ("debut", "fin")]
        yield {
            "flow": "ADICT", "point": item["pce"]["id_pce"], "status": "I", "direction": "consumption",
            "version": "2" if found["statut_conso"] == "Définitive" else "0",
            "nature": NATURES[found["type_qualif_conso"]], "reason": item["releve_fin"].get("raison_releve") or "",
            "publication": "published" if found["type_conso"] == "Publiée" else "informative",
        } | _checked(
            found["energie"], found["volume_converti"] or found["volume_brut"], found["coeff_calcul"]["coeff_conversion"],
            *ends, found["journee_gaziere"],
        )  # fmt: skip


def read_twin(text: str) -> list[Row]:
    """Return the energies of a file, without columns that are empty, and without the line."""
    rows = adict(text) if text.startswith('{"pce"') else portal(text)
    return [{name: value for name, value in row.items() if value} for row in rows]
