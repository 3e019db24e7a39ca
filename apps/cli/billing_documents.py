"""`octroi bill document`: what was issued as paper and XML, one invoice or all of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest, say
from apps.cli.invoices import FONTS, TEMPLATE
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json

SAID_MAX = 20


@honest
def document(
    wanted: Annotated[str, typer.Argument(metavar="RUN|INVOICE", help="Key of a run, or a number.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write; the directory is made.")],
    form: Annotated[
        Literal["facturx", "ubl", "cii", "json"],
        typer.Option(
            "--format", help="facturx: a PDF that holds CII; ubl, cii: PDF and XML; json: for `octroi invoice`."
        ),
    ] = "facturx",
    profile: Annotated[
        Literal["en16931", "extended-ctc-fr"], typer.Option(help="Of XML; a Factur-X is of en16931.")
    ] = "en16931",
    language: Annotated[
        Literal["fr", "en"] | None, typer.Option(help="Instead of that of the account, or the seller.")
    ] = None,
    words: Annotated[
        Literal["run", "current"],
        typer.Option(
            help="Names, addresses and wording of the run's catalog, or of the one in force, where that lacks some."
        ),
    ] = "run",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write what was issued as documents of EN 16931: their amounts are those that were issued, or nothing is written.

    What they say besides is that of the catalog of the run, so that a document can be made again at any time, as the same
    bytes. Exit code 1 where one of them cannot be made: the others are.
    """
    if form == "facturx" and profile != "en16931":
        raise WrongUsage("a Factur-X is of the profile en16931; extended-ctc-fr is --format cii or ubl")
    settings, directory = open_settings(data)
    from apps.embedded.access import reach
    from apps.embedded.bill_documents import CatalogsOfRuns, Making, issued_numbers, make_documents
    from billing.catalog.store import load_catalog

    only = load_catalog(directory.catalog) if words == "current" else None
    template, fonts = directory.root / TEMPLATE, directory.root / FONTS
    text = template.read_text("utf-8") if template.exists() else None
    making = Making(out, form, profile, language, text, fonts if fonts.exists() else None)
    with reach(directory, settings, say) as access:
        numbers = issued_numbers(access, wanted)
        made = list(make_documents(access, numbers, CatalogsOfRuns(directory, language, only), making))
    refused = [each for each in made if each.refused is not None]
    if as_json:
        print_json(
            {
                "documents": [{"invoice": each.invoice, "files": list(each.files)} for each in made if each.files],
                "refused": [{"invoice": each.invoice, "why": each.refused} for each in refused],
            }
        )
    else:
        print(f"{count(len(made) - len(refused), 'invoice')} written to {out} as {form}")
        for each in refused[:SAID_MAX]:
            say(str(each.refused))
        if len(refused) > SAID_MAX:
            say(f"and {count(len(refused) - SAID_MAX, 'other')}")
    if refused:
        raise typer.Exit(MISMATCH)
