"""What comes before the records of an XML flow."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.xml_elements import Element

HEADERS = (("En_Tete_Flux", "Date_Creation"), ("Entete", "Date_Creation"), ("enteteFlux", "dateCreation"))


@dataclass(slots=True)
class Head:
    """Elements before the records of a file, by name."""

    elements: dict[str, Element] = field(default_factory=dict)

    def said(self, name: str, *path: str) -> str:
        """Return the text at a path below one of them."""
        found = self.elements.get(name)
        return "" if found is None else found.said(*path)

    def common(self, flow: str, element: Element, status: str = "I") -> Row:
        """Return the columns that every record has."""
        created = next((said for header in HEADERS if (said := self.said(*header))), "")
        return {
            "flow": flow,
            "created_at": words.instant(created),
            "version": words.version(created, status),
            "line": str(element.line),
        }
