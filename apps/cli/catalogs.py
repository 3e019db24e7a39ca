"""`octroi catalog list|activate|diff|template|schema`: what was in force, what differs, published tariffs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import print_json, print_table, printable
from apps.cli.publishing import publish
from apps.cli.templates import show_template, show_templates

catalogs = typer.Typer(
    help="Catalogs that were in force or shall be, what differs between two, and published tariffs.",
    no_args_is_help=True,
)
_WHICH = "`current`, the beginning of a kept image's hash, or a directory."
Old = Annotated[str, typer.Argument(metavar="OLD", help=_WHICH)]
New = Annotated[str, typer.Argument(metavar="NEW", help=_WHICH)]


@catalogs.command("list", epilog="Example: octroi catalog list")
@honest
def show_list(data: Data = None, as_json: AsJson = False) -> None:
    """List the catalogs that took effect, in order: when, by which journal entry, and their hashes."""
    _, directory = open_settings(data)
    from pipelines.spool.journal import ImageClaim, read_entries

    entries = read_entries(directory.journal) if directory.journal.exists() else []
    found = [entry for entry in entries if isinstance(entry, ImageClaim)]
    rows = [
        {
            "entry": entry.claim,
            "in_force_from": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=entry.received_at),
            "image": entry.content_hash,
            "status": "current" if entry is found[-1] else "replaced",
            "kept": (directory.images / entry.content_hash).is_dir(),
        }
        for entry in found
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        print("no catalog was ever in force here")
    else:
        print_table("", list(rows[0]), [list(row.values()) for row in rows])


@catalogs.command("activate", epilog="Example: octroi catalog activate")
@honest
def activate(data: Data = None, as_json: AsJson = False) -> None:
    """Take the catalog directory into force, in a running octroi without stopping it; without one, at once.

    A running octroi loads and compiles it beside what it does. A catalog that is wrong changes nothing.
    """
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        told = access.command({"op": "activate"})
    if as_json:
        print_json(told)
    else:
        print(f"in force: image {told['image'][:12]}")


@catalogs.command("diff", epilog="Example: octroi catalog diff current octroi-data/catalog")
@honest
def diff(old: Old, new: New, data: Data = None, as_json: AsJson = False) -> None:
    """Say in words what differs between two catalogs: offers, charges, prices and from when, rows of tables, subscriptions."""
    _, directory = open_settings(data)
    from apps.embedded.kept_catalogs import find_catalog
    from billing.catalog.difference import compare
    from billing.catalog.store import load_catalog
    from pipelines.spool.journal import ImageClaim, read_entries

    entries = read_entries(directory.journal) if directory.journal.exists() else []
    current = next((entry.content_hash for entry in reversed(entries) if isinstance(entry, ImageClaim)), "")
    before, after = (load_catalog(find_catalog(directory.images, wanted, current)) for wanted in (old, new))
    found = compare(before, after)
    if as_json:
        print_json(found.as_dict())
        return
    for line in found.lines():
        print(printable(line))


@catalogs.command(epilog="Example: octroi catalog template fr_turpe_c5 > octroi-data/catalog/turpe.yaml")
@honest
def template(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A published tariff.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List published tariffs, or print one as catalog documents, with its sources and doubts, ready to be saved and adapted."""
    from billing.catalog.templates import find_tariff, tariff_templates

    if name is None:
        show_templates(tariff_templates(), as_json=as_json)
    else:
        show_template(find_tariff(name), as_json=as_json)


@catalogs.command("schema", epilog="Example: octroi catalog schema > octroi-catalog.schema.json")
@honest
def schema(
    as_json: Annotated[bool, typer.Option("--json", help="On one line.")] = False,
) -> None:
    """Print the JSON Schema of catalog documents, for editors that complete and check YAML while it is written.

    What holds between documents is checked when a catalog is loaded.
    """
    from billing.catalog.json_schema import catalog_schema

    print(json.dumps(catalog_schema(), indent=None if as_json else 2))


catalogs.command("publish", epilog="Example: octroi catalog publish")(publish)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(catalogs, name="catalog")
