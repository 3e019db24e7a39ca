"""`octroi invoice`: invoices as documents: XML of EN 16931 and paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, read_settings
from apps.cli.output import count, print_json, print_table

if TYPE_CHECKING:
    from connectors.einvoice.checking import Checked, Finding
    from connectors.einvoice.documents import Form
    from connectors.einvoice.writing import Profile
    from schemas.invoice import Invoice

TEMPLATE = Path("templates") / "invoice.typ"
"""Where a tenant's own template is, in its data directory."""
FONTS = Path("templates") / "fonts"
FILE_BYTES_MAX = 64 * 1024 * 1024

invoices = typer.Typer(help="Write invoices as Factur-X, CII or UBL, and check them.", no_args_is_help=True)


@honest
def render(
    file: Annotated[Path, typer.Argument(help="An invoice, as JSON (`octroi invoice schema`).")],
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="Write it on paper.")] = None,
    xml: Annotated[Path | None, typer.Option("--xml", metavar="FILE", help="Write its XML.")] = None,
    form: Annotated[
        Literal["facturx", "ubl", "cii"],
        typer.Option("--format", help="facturx: CII, which the PDF holds; ubl and cii: XML beside a plain PDF."),
    ] = "facturx",
    profile: Annotated[
        Literal["en16931", "extended-ctc-fr"], typer.Option(help="Of XML; a Factur-X is of en16931.")
    ] = "en16931",
    language: Annotated[Literal["fr", "en"], typer.Option(help="Of the paper.")] = "fr",
    template: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Preview a template (default: templates/invoice.typ of the data directory)."),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write an invoice as PDF and as XML; XML that does not keep the official rules is not written.

    A draft has no number: it is written on paper only, without XML.
    """
    if pdf is None and xml is None:
        raise WrongUsage("say what to write: --pdf FILE, --xml FILE or both")
    if form == "facturx" and profile != "en16931":
        raise WrongUsage("a Factur-X is of the profile en16931; extended-ctc-fr is --format cii or ubl")
    invoice = _read(file)
    told = None if invoice.number is None and xml is None else _checked(invoice, form, profile)
    written: dict[str, str] = {}
    if xml is not None and told is not None:
        xml.write_bytes(told)
        written[str(xml)] = f"{'UBL' if form == 'ubl' else 'CII'}, {profile}"
    if pdf is not None:
        from connectors.einvoice.documents import paper

        held_at = read_settings(data).data_dir
        own = template or _existing(held_at / TEMPLATE)
        text = own.read_text("utf-8") if own else None
        pdf.write_bytes(paper(invoice, form, language, xml=told, template=text, fonts=_existing(held_at / FONTS)))
        held = form == "facturx" and told is not None
        written[str(pdf)] = f"{'Factur-X' if held else 'PDF/A-3b'}, {'French' if language == 'fr' else 'English'}"
    if as_json:
        print_json(written)
        return
    for name, what in written.items():
        print(f"{name}: {what}")


def _existing(place: Path) -> Path | None:
    return place if place.exists() else None


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise WrongUsage(f"{file} has more than {FILE_BYTES_MAX} bytes")
    return file.read_bytes()


def _read(file: Path) -> Invoice:
    from pydantic import ValidationError

    from schemas.invoice import Invoice

    try:
        return Invoice.model_validate_json(_bytes(file))
    except ValidationError as error:
        said = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ") for each in error.errors()[:20]]
        raise WrongUsage(f"{file} is no invoice: {'; '.join(said)}") from None


def _checked(invoice: Invoice, form: Form, profile: Profile) -> bytes:
    from connectors.einvoice.documents import BreaksRules, checked_xml

    try:
        return checked_xml(invoice, form, profile)
    except BreaksRules as error:
        _show_findings(error.findings)
        say(f"{invoice.number} breaks official rules, and was not written")
        raise typer.Exit(MISMATCH) from None


@honest
def check(
    file: Annotated[Path, typer.Argument(help="An XML file (CII or UBL), or a PDF (Factur-X).")],
    french: Annotated[bool, typer.Option("--french", help="Ask the rules of the French reform, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check an invoice by the official schema and rules of its profile; exit code 1 where it breaks one."""
    from connectors.einvoice.checking import check_xml
    from connectors.einvoice.containers import attached_xml

    held = _bytes(file)
    checked = check_xml(attached_xml(held) if held.startswith(b"%PDF-") else held, french=french)
    if as_json:
        print_json(
            {
                "syntax": checked.syntax,
                "profile": checked.profile,
                "valid": checked.valid,
                "findings": [
                    {"rule": each.rule, "fatal": each.fatal, "text": each.text, "place": each.place}
                    for each in checked.findings
                ],
            }
        )
    else:
        _show(str(file), checked)
    if not checked.valid:
        raise typer.Exit(MISMATCH)


def _show(name: str, checked: Checked) -> None:
    broken = sum(each.fatal for each in checked.findings)
    verdict = "keeps all rules" if checked.valid else f"breaks {count(broken, 'rule')}"
    print(f"{name}: {checked.syntax.upper()}, {checked.profile}, {verdict}")
    _show_findings(checked.findings)


def _show_findings(findings: tuple[Finding, ...]) -> None:
    if findings:
        rows = [[each.rule, "error" if each.fatal else "warning", each.text] for each in findings]
        print_table("", ["rule", "", "says"], rows)


@honest
def schema(
    as_json: Annotated[bool, typer.Option("--json", help="On one line.")] = False,
) -> None:
    """Print the JSON Schema of an invoice."""
    from billing.catalog.json_schema import DIALECT
    from schemas.invoice import Invoice

    told = {"$schema": DIALECT, **Invoice.model_json_schema(mode="validation")}
    print(json.dumps(told, indent=None if as_json else 2))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    invoices.command(epilog="Example: octroi invoice render inv.json --pdf inv.pdf --xml inv.xml")(render)
    invoices.command(epilog="Example: octroi invoice check inv.pdf --french")(check)
    invoices.command(epilog="Example: octroi invoice schema > invoice.schema.json")(schema)
    app.add_typer(invoices, name="invoice")
