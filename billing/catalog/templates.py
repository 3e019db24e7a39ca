"""Ready-made catalog documents, to be saved and adapted: sources for feeds that many have, and published tariffs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

SUFFIX = ".yaml"


class UnableToFindTemplate(LookupError):
    """There is nothing ready-made of this name."""


@dataclass(frozen=True, slots=True)
class Template:
    """Ready-made documents.

    Attributes:
        name: what people ask for; the code of a source, too.
        about: the first sentence of its comment.
        text: the documents in YAML, with comments that say what to adapt.
    """

    name: str
    about: str
    text: str


def source_templates() -> list[Template]:
    """Return all ready-made sources by name."""
    return _templates("source_templates")


def tariff_templates() -> list[Template]:
    """Return all published tariffs by name."""
    return _templates("tariff_templates")


def find_template(name: str) -> Template:
    """Return one ready-made source.

    Raises:
        UnableToFindTemplate: when there is none of this name.
    """
    return _found(name, source_templates())


def find_tariff(name: str) -> Template:
    """Return one published tariff; raises as `find_template` does."""
    return _found(name, tariff_templates())


def _found(name: str, templates: list[Template]) -> Template:
    known = {template.name: template for template in templates}
    if name not in known:
        raise UnableToFindTemplate(f"there is no template {name!r}; there are {', '.join(known)}")
    return known[name]


def _templates(kind: str) -> list[Template]:
    folder = resources.files("billing.catalog") / kind
    files = sorted((item for item in folder.iterdir() if item.name.endswith(SUFFIX)), key=lambda item: item.name)
    return [_template(item.name.removesuffix(SUFFIX), item.read_text("utf-8")) for item in files]


def _template(name: str, text: str) -> Template:
    comment = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    return Template(name, comment.partition(". ")[0].rstrip("."), text)
