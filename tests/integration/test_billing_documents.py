"""Documents of a billing run: amounts as issued, XML that keeps the official rules, the same bytes again, refusals that say why."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from billing_world import documented, make_usage
from cli_octroi import octroi, query
from lxml import etree

from connectors.einvoice.checking import check_xml
from connectors.einvoice.containers import attached_xml


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of October, issued under a catalog that does not know where dan lives."""
    data = make_usage(tmp_path_factory.mktemp("documents"), documented(every=False))
    for step in (("plan", "oct", "--until", "2026-11-01"), ("validate", "oct")):
        octroi("bill", "run", *step, "--data", data).ok()
    return data


def _said(xml: bytes, name: str) -> list[str]:
    return [found.text for found in etree.fromstring(xml).xpath(f"//*[local-name() = '{name}']")]


def test_documents_say_what_was_issued(billed: Path, tmp_path: Path) -> None:
    told = octroi("bill", "document", "oct", "--out", tmp_path / "a", "--data", billed)
    assert told.code == 1
    assert 'INV-2026-11-0004: the account "dan", or one above it, does not say its name and address' in told.err
    octroi("bill", "document", "oct", "--out", tmp_path / "b", "--data", billed)
    rows = query(billed, "SELECT invoice, net, tax, gross, to_pay FROM invoice WHERE account != 'dan' ORDER BY invoice")
    made = sorted((tmp_path / "a").iterdir())
    assert [path.stem for path in made] == [row["invoice"] for row in rows]
    for path, row in zip(made, rows, strict=True):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        xml = attached_xml(path.read_bytes())
        assert check_xml(xml, french=True).valid
        amounts = [
            _said(xml, name)
            for name in ("TaxBasisTotalAmount", "TaxTotalAmount", "GrandTotalAmount", "DuePayableAmount")
        ]
        assert [[Decimal(each) for each in some] for some in amounts] == [
            [Decimal(row[name])] for name in ("net", "tax", "gross", "to_pay")
        ]
    ana, ben, cleo = (attached_xml(path.read_bytes()) for path in made)
    # 33 s, 34 s and 33 s at 0.01: the shown price comes to the shown amount
    assert _said(ana, "BilledQuantity") == ["34", "33", "33"]
    assert "Ana & <Fils>" in _said(ana, "Name")
    assert _said(ana, "Name").count("Appels") == 3
    assert "Calls" in _said(ben, "Name")
    assert _said(ben, "TotalPrepaidAmount") == ["0.10"]
    assert "Remise fidélité" in _said(cleo, "Name")
    assert _said(cleo, "BilledQuantity") == ["1005", "-1"]


def test_other_forms_and_the_catalog_in_force(billed: Path, tmp_path: Path) -> None:
    (billed / "catalog" / "all.yaml").write_text(documented(every=True))
    asked = ("--words", "current", "--data", billed)
    octroi("bill", "document", "oct", "--out", tmp_path, "--format", "ubl", "--language", "en", *asked).ok()
    exempt = (tmp_path / "INV-2026-11-0004.xml").read_bytes()
    assert check_xml(exempt).valid
    assert b"VATEX-EU-151" in exempt
    assert b">embassy<" in exempt
    assert len(list(tmp_path.glob("*.pdf"))) == 4
    octroi("bill", "document", "INV-2026-11-0001", "--out", tmp_path / "j", "--format", "json", *asked).ok()
    octroi(
        "invoice",
        "render",
        tmp_path / "j" / "INV-2026-11-0001.json",
        "--xml",
        tmp_path / "again.xml",
        "--format",
        "ubl",
    ).ok()
    french = octroi("bill", "document", "INV-2026-11-0001", "--out", tmp_path / "u", "--format", "ubl", *asked).ok()
    assert french.out == f"1 invoice written to {tmp_path / 'u'} as ubl\n"
    assert (tmp_path / "again.xml").read_bytes() == (tmp_path / "u" / "INV-2026-11-0001.xml").read_bytes()
    wrong = octroi("bill", "document", "nov", "--out", tmp_path, "--data", billed)
    assert (wrong.code, 'nothing was issued as "nov"' in wrong.err) == (2, True)
