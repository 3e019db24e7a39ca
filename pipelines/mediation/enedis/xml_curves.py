"""Load curves in XML as records: R50 of small points, R4Q, R4H and R4M of large ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.xml_elements import Element
from pipelines.mediation.enedis.xml_head import Head
from pipelines.mediation.failures import UnableToDecodeFile

SECONDS = 60
MINUTES_MAX = 60


def step_minutes(said: str, name: str, line: int = 0) -> int:
    """Return the step of a curve in minutes.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER when it is none.
    """
    if words.is_count(said) and 0 < int(said) <= MINUTES_MAX:
        return int(said)
    where = f"line {line}: " if line else ""
    raise UnableToDecodeFile("MALFORMED_HEADER", f"{where}{name} is {said[:20]!r}, no number of minutes")


def r50_intervals(head: Head, prm: Element) -> Iterator[Row]:
    """Yield the steps of a load curve; the stamp of a step is its end.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER without a step in minutes.
    """
    step_s = step_minutes(head.said("En_Tete_Flux", "Pas_Publication"), "Pas_Publication") * SECONDS
    step, point = timedelta(seconds=step_s), prm.said("Id_PRM")
    for day in prm.all("Donnees_Releve"):
        for found in day.all("PDC"):
            stamp, power, doubtful = found.said("H"), found.said("V"), found.said("IV")
            start, end = words.step_of(stamp, step)
            yield head.common("R50", found) | {
                "point": point,
                "start": start,
                "end": end,
                "step_s": str(step_s),
                "measure": "EA",
                "direction": "consumption",
                "power": power,
                "value": words.energy_of(power, step_s),
                "unit": "Wh",
                "quality": doubtful,
                "doubt": "" if doubtful in ("", "0") else f"IV is {doubtful}",
            }


def r4x_intervals(head: Head, body: Element) -> Iterator[Row]:
    """Yield the steps of the curves of a point; the stamp of a step is its start. What is corrected is above what is raw.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER without a step in minutes.
    """
    stage = head.said("Entete", "Nature_De_Courbe_Demandee")
    for curve in body.all("Donnees_Courbe"):
        step_s = step_minutes(curve.said("Granularite"), "Granularite", curve.line) * SECONDS
        step, sense = timedelta(seconds=step_s), curve.said("Grandeur_Metier")
        for found in curve.all("Donnees_Point_Mesure"):
            said = found.attributes.get("Valeur_Point", "").strip()
            state = found.attributes.get("Statut_Point", "").strip()
            start, end = words.step_from(found.attributes.get("Horodatage", "").strip(), step)
            common = head.common("R4x", found)
            yield (
                common
                | {
                    "version": words.staged(common["version"], stage),
                    "point": body.said("Identifiant_PRM"),
                    "start": start,
                    "end": end,
                    "step_s": str(step_s),
                    "measure": curve.said("Grandeur_Physique"),
                    "direction": words.DIRECTION.get(sense, sense),
                    "stage": stage,
                    "quality": state,
                    "nature": words.POINT_NATURES.get(state, ""),
                }
                | words.counted(said, curve.said("Unite_Mesure"), step_s)
            )
