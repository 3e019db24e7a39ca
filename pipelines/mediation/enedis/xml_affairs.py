"""The XML flows X12, X13 and X14 as records: each step of a request is an event. Snapshots are cumulative."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.xml_elements import Element
from pipelines.mediation.enedis.xml_head import Head

MILESTONE = "MILESTONE"


def affair_events(head: Head, affair: Element) -> Iterator[Row]:
    """Yield the steps of a request: `state` is what it came to, `nature` what was asked for."""
    general = affair.first("donneesGenerales") or Element("", affair.line)
    asked = affair.first("demande", "donneesGenerales") or Element("", affair.line)
    for milestones in general.all("jalons"):
        for found in milestones.all("jalon"):
            yield head.common(head.said("enteteFlux", "idFlux") or "X12", found) | {
                "point": general.said("donneesPoint", "id") or asked.said("pointId"),
                "at": words.instant(found.said("dateHeure")),
                "kind": MILESTONE,
                "nature": code(asked.first("objet")),
                "category": code(general.first("statut")),
                "state": code(found.first("affaireEtat")),
                "affair": affair.attributes.get("id", ""),
                "milestone": found.said("num"),
                "effective_on": found.said("affaireDateEffet")[:10],
                "segment": general.said("segment"),
            }


def code(found: Element | None) -> str:
    """Return the code that an element carries beside its label."""
    return "" if found is None else found.attributes.get("code", "")
