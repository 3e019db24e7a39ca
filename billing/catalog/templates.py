"""Ready-made sources: catalog documents for feeds that many have, to be saved and adapted."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

SUFFIX = ".yaml"


class UnableToFindTemplate(LookupError):
    """There is no ready-made source of this name."""


@dataclass(frozen=True, slots=True)
class SourceTemplate:
    """One ready-made source.

    Attributes:
        name: what people ask for; the source's code, too.
        about: the first sentence of its comment.
        text: the documents in YAML, with comments that say what to adapt.
    """

    name: str
    about: str
    text: str


def source_templates() -> list[SourceTemplate]:
    """Return all ready-made sources by name."""
    folder = resources.files("billing.catalog") / "source_templates"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(SUFFIX)), key=lambda item: item.name)
    return [_template(item.name.removesuffix(SUFFIX), item.read_text("utf-8")) for item in files]


def find_template(name: str) -> SourceTemplate:
    """Return one ready-made source.

    Raises:
        UnableToFindTemplate: when there is none of this name.
    """
    known = {template.name: template for template in source_templates()}
    if name not in known:
        raise UnableToFindTemplate(f"there is no template {name!r}; there are {', '.join(known)}")
    return known[name]


def _template(name: str, text: str) -> SourceTemplate:
    comment = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    return SourceTemplate(name, comment.partition(". ")[0].rstrip("."), text)
