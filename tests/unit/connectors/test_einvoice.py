"""What we write, the official schemas and schematrons accept; what is wrong, they refuse by its rule; hostile files come to nothing."""

from __future__ import annotations

import json
import pickle
import re
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from cli_octroi import octroi
from facturx import get_facturx_xml_from_pdf
from hypothesis import given, settings
from hypothesis import strategies as st
from invoices_world import BUYER, CASES, FULL, GOLDEN, REDUCED, SYNTAXES, invoice, line
from pypdf import PdfReader

from apps.bench_invoices import bench_invoices
from connectors.einvoice.checking import UnableToReadInvoice, check_xml
from connectors.einvoice.containers import UnableToMakeFacturX, as_facturx, attached_xml
from connectors.einvoice.documents import BreaksRules, checked_xml
from connectors.einvoice.paper import UnableToRenderInvoice, render_pdf
from connectors.einvoice.terms import UnableToWriteInvoice, terms_of
from connectors.einvoice.writing import write_xml
from schemas.invoice import Invoice
from schemas.invoice_parts import Address

FRENCH = ("standard", "several_rates", "credit_note", "energy", "adjusted")


def fatal(xml: bytes, *, french: bool = False) -> list[tuple[str, str]]:
    return [(each.rule, each.text) for each in check_xml(xml, french=french).findings if each.fatal]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("case", CASES)
def test_the_official_rules_accept_what_we_write(case: str, syntax: str) -> None:
    told = CASES[case]()
    xml = write_xml(told, syntax)
    assert fatal(xml) == []
    assert xml == (GOLDEN / f"{case}.{syntax}.xml").read_bytes()
    if case in FRENCH:
        assert fatal(write_xml(told, syntax, "extended-ctc-fr")) == []


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("case", "before", "after", "rule"),
    [
        ("standard", "99.80<", "89.80<", "BR-S-08"),
        ("standard", "119.76<", "119.77<", "BR-CO-1"),
        ("several_rates", "FR83404833048", "83404833048", "BR-CO-09"),
        ("reverse_charge", ">AE<", ">S<", "BR-S-"),
        ("standard", ">FR</", ">XX</", "BR-CL-14|FX-SCH-A-000580"),
    ],
)
def test_what_is_changed_is_refused_by_its_rule(case: str, before: str, after: str, rule: str, syntax: str) -> None:
    xml = write_xml(CASES[case](), syntax).decode()
    assert before in xml
    found = fatal(xml.replace(before, after, 1).encode())
    assert any(re.match(rule, name) for name, _ in found), found


def test_the_french_rules_ask_more() -> None:
    xml = write_xml(CASES["standard"]().model_copy(update={"notes": ()}))
    assert fatal(xml) == []
    assert {rule for rule, _ in fatal(xml, french=True)} == {"BR-FR-05"}


def test_what_a_schema_refuses_goes_no_further() -> None:
    xml = write_xml(CASES["standard"]()).replace(
        b"<ram:TypeCode>380</ram:TypeCode>", b"<ram:TypeCodes>380</ram:TypeCodes>"
    )
    assert {rule for rule, _ in fatal(xml)} == {"XSD"}


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "root|DOCTYPE|document type"),
        (b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>', "document type"),
        (b"<a/>", "root"),
        (b"no xml", "well-formed"),
        (b"", "well-formed"),
    ],
)
def test_hostile_xml_is_refused(xml: bytes, why: str) -> None:
    with pytest.raises(UnableToReadInvoice, match=why):
        check_xml(xml)


def test_drafts_and_currencies_of_three_decimals_have_no_xml() -> None:
    with pytest.raises(UnableToWriteInvoice, match="draft"):
        terms_of(CASES["standard"]().model_copy(update={"number": None}))
    with pytest.raises(UnableToWriteInvoice, match="two decimals"):
        terms_of(invoice(line(1, "Forfait", "1", "C62", "1.234", FULL, currency="KWD"), currency="KWD"))


amounts = st.decimals(min_value="0.01", max_value="9999", places=4)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(amounts, amounts, st.sampled_from([FULL, REDUCED])), min_size=1, max_size=6),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=30).filter(
        str.strip
    ),
)
def test_any_invoice_keeps_the_official_rules(lines: list[tuple[Decimal, Decimal, object]], name: str) -> None:
    told = invoice(
        *(
            line(place, name, str(quantity), "KWH", str(price), tax)
            for place, (quantity, price, tax) in enumerate(lines, 1)
        )  # type: ignore[arg-type]
    )
    for syntax in SYNTAXES:
        assert fatal(write_xml(told, syntax)) == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_factur_x_holds_its_xml_and_shows_texts_as_they_are(language: str, tmp_path: Path) -> None:
    hostile = '#panic("x") [b] $x$ *b* </x> "'
    told = CASES["energy"]().model_copy(update={"buyer": CASES["energy"]().buyer.model_copy(update={"name": hostile})})
    xml = write_xml(told)
    pdf = as_facturx(render_pdf(told, language, xml=xml))
    assert pdf == as_facturx(render_pdf(told, language, xml=xml))
    assert attached_xml(pdf) == xml
    assert get_facturx_xml_from_pdf(pdf, check_schematron=False)[1] == xml
    (tmp_path / "it.pdf").write_bytes(pdf)
    reader = PdfReader(tmp_path / "it.pdf")
    metadata = reader.root_object["/Metadata"].get_object().get_data().decode()
    assert "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in metadata
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert metadata.count("<pdfaExtension:schemas>") == 1
    assert metadata.startswith("<?xpacket begin")
    text = "\n".join(page.extract_text() for page in reader.pages)
    for word in (hostile, "Abonnement", "14123456789012", {"fr": "estimé", "en": "estimated"}[language], "40 €"):
        assert word in text
    assert {"fr": "Net à payer", "en": "To be paid"}[language] in text


@pytest.mark.parametrize("pdf", [b"%PDF-1.7", b"%PDF-1.7\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF", b""])
def test_what_is_no_factur_x_is_refused(pdf: bytes) -> None:
    with pytest.raises(UnableToReadInvoice):
        attached_xml(pdf)
    with pytest.raises(UnableToMakeFacturX):
        as_facturx(pdf)


def test_a_pdf_without_xml_is_no_factur_x() -> None:
    with pytest.raises(UnableToReadInvoice, match=r"factur-x\.xml"):
        attached_xml(render_pdf(CASES["standard"]()))


def test_a_text_that_no_font_shows_is_refused_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(UnableToRenderInvoice, match="templates/fonts"):
        render_pdf(CASES["yen"](), fonts=tmp_path)


def test_a_long_invoice_has_pages_and_a_draft_no_number() -> None:
    told = invoice(*(line(number, "Appel", "1", "MIN", "0.1", FULL, section="Appels") for number in range(1, 121)))
    reader = PdfReader(BytesIO(render_pdf(told.model_copy(update={"number": None}), "fr")))
    texts = [page.extract_text() for page in reader.pages]
    assert len(texts) > 2
    assert f"Page {len(texts)} / {len(texts)}" in texts[-1]
    assert "PROJET" in texts[0]
    assert "Sous-total" in texts[-1]


def test_what_breaks_rules_comes_out_of_a_process_as_it_is() -> None:
    told = CASES["standard"]()
    with pytest.raises(BreaksRules, match=r"BR-CL-14|FX-SCH-A-") as raised:
        checked_xml(told.model_copy(update={"buyer": told.buyer.model_copy(update={"address": Address(country="XX")})}))
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.findings) == (str(raised.value), raised.value.findings)


def test_the_benchmark_recounts(tmp_path: Path) -> None:
    assert bench_invoices(only=["pdf", "einvoice_ubl"], records=20, seed=7, runs=1, json_file=tmp_path / "b.json")
    results = json.loads((tmp_path / "b.json").read_text())["results"]
    assert [each["name"] for each in results] == ["billing.pdf", "billing.einvoice_ubl"]


def test_a_template_that_is_wrong_says_so() -> None:
    with pytest.raises(UnableToRenderInvoice, match="unknown variable"):
        render_pdf(CASES["standard"](), template="#nothing")


def test_the_command_line_writes_and_checks(tmp_path: Path) -> None:
    file, pdf, xml = tmp_path / "inv.json", tmp_path / "inv.pdf", tmp_path / "inv.xml"
    told = CASES["energy"]()
    file.write_text(told.model_dump_json())
    octroi("invoice", "render", file, "--pdf", pdf, "--xml", xml, "--data", tmp_path / "data").ok()
    assert octroi("invoice", "check", pdf, "--french", "--json").ok().json["valid"]
    xml.write_bytes(xml.read_bytes().replace(b"FR83404833048", b"83404833048"))
    refused = octroi("invoice", "check", xml)
    assert (refused.code, "BR-CO-09" in refused.out) == (1, True)
    (tmp_path / "data" / "templates").mkdir(parents=True)
    (tmp_path / "data" / "templates" / "invoice.typ").write_text(
        "#set document(date: datetime(year: 2026, month: 1, day: 1))\nOurs"
    )
    octroi("invoice", "render", file, "--pdf", pdf, "--format", "ubl", "--data", tmp_path / "data").ok()
    assert PdfReader(pdf).pages[0].extract_text() == "Ours"
    wrong = json.loads(file.read_text())
    wrong["totals"]["net"] = "1"
    file.write_text(json.dumps(wrong))
    assert "BR-CO-13" in octroi("invoice", "render", file, "--pdf", pdf).err
    assert octroi("invoice", "schema").ok().json["title"] == "Invoice"
    assert BUYER["name"] == Invoice.model_validate(told.model_dump()).buyer.name
