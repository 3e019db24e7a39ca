"""Ready-made documents on the command line: which there are, or one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.cli.output import print_json, print_table

if TYPE_CHECKING:
    from billing.catalog.templates import Template


def show_templates(templates: list[Template], *, as_json: bool) -> None:
    """Print which there are."""
    rows = [{"name": found.name, "about": found.about} for found in templates]
    if as_json:
        print_json(rows)
    else:
        print_table("", ["name", "about"], [list(row.values()) for row in rows])


def show_template(found: Template, *, as_json: bool) -> None:
    """Print one of them, as it is saved."""
    if as_json:
        print_json({"name": found.name, "about": found.about, "text": found.text})
    else:
        print(found.text, end="")
