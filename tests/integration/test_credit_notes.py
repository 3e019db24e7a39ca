"""Credit notes of a billing run: parts and the rest, numbers of their own, refusals, documents, and the same store from the log."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing_world import documented, make_usage, plan, step, with_engine
from cli_octroi import balanced, octroi, query
from lxml import etree

from apps.embedded.bill_credit import bill_credit
from apps.embedded.billing_files import RunFiles
from apps.embedded.billing_items import RunItems
from billing.invoicing.rules_credits import UnableToCredit
from connectors.einvoice.checking import check_xml

SUMS = """
SELECT if(kind = 'invoice', invoice, corrects) AS of, sum(net) AS net, sum(tax) AS tax, sum(gross) AS gross, sum(paid) AS paid,
  sum(to_pay) AS to_pay, sum(cash_rounding) AS coins, sum(discount) AS discount, count() AS n
FROM invoice GROUP BY of ORDER BY of
"""
TAXES = """
SELECT if(i.kind = 'invoice', i.invoice, i.corrects) AS of, t.tax AS tax, t.tax_rate AS rate, sum(t.base) AS base, sum(t.tax_amount) AS amount
FROM invoice_tax AS t JOIN invoice AS i ON i.invoice = t.invoice GROUP BY of, tax, rate ORDER BY of, tax, rate
"""
EVERYTHING = ("SELECT * FROM fact_invoice ORDER BY invoice", "SELECT * FROM fact_invoice_line ORDER BY invoice, line",
              "SELECT * FROM fact_invoice_tax ORDER BY invoice, tax_rate")  # fmt: skip
ANA, BEN, CLEO, DAN = (f"INV-2026-11-{number:04}" for number in range(1, 5))


def _credit(engine: Any, invoice: str, lines: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return bill_credit(
        engine, {"invoice": invoice, "lines": lines, "reason": "as promised", "date": "2026-11-20", **more}
    )


@pytest.fixture(scope="module")
def credited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """October billed; ana credited in parts and whole, ben whole, cleo in part."""
    data = make_usage(tmp_path_factory.mktemp("credits"), documented(every=True))

    def go(engine: Any) -> None:
        plan(engine)
        step(engine, "execute")
        step(engine, "validate")
        first = _credit(engine, ANA, [[1, "0.11"]])
        assert (first["credit_note"], first["net"], first["tax"], first["left"]) == (
            "CN-2026-000001", "-0.110000000", "-0.010000000", "1.040000000",
        )  # fmt: skip
        # asked once more in the same words it is the same note; with another key it is another one
        again = _credit(engine, ANA, [[1, "0.11"]])
        assert again == {**first, "already": True}
        assert _credit(engine, ANA, [[1, "0.11"]], key="2")["credit_note"] == "CN-2026-000002"
        entries = len(engine.journal.entries)
        for asked, why in (
            ([[1, "0.13"]], "line 1 has less left than is asked"),
            ([[9, None]], "it has no line 9"),
            ([[1, "0.001"]], "with 2 decimals at most"),
            ([[1, "x"]], "is no amount of line 1"),
            ([[1, "0.1"], [1, None]], "line 1 is named twice"),
        ):
            with pytest.raises(UnableToCredit, match=why):
                _credit(engine, ANA, asked)
        rest = _credit(engine, ANA)
        assert (Decimal(rest["gross"]), Decimal(rest["left"])) == (Decimal("-0.92"), 0)
        with pytest.raises(UnableToCredit, match="credited already"):
            _credit(engine, ANA, key="3")
        with pytest.raises(UnableToCredit, match="is a credit note"):
            _credit(engine, rest["credit_note"])
        with pytest.raises(UnableToCredit, match="no invoice X was issued"):
            _credit(engine, "X")
        with pytest.raises(UnableToCredit, match="would be before it"):
            _credit(engine, DAN, date="2026-10-31")
        with pytest.raises(UnableToCredit, match="it comes to more than what is left"):
            _credit(engine, CLEO, [[1, None]])
        assert len(engine.journal.entries) == entries + 1
        assert _credit(engine, CLEO, [[1, "5.00"], [2, "0.50"]])["net"] == "-4.500000000"
        assert Decimal(_credit(engine, BEN)["to_pay"]) == Decimal("-2.90")
        report = step(engine, "report")
        assert report["credited"] == [{"currency": "EUR", "credit_notes": 5, "gross": "9.56"}]
        # what discounts took off is given back with them; how often they were used is not
        plan(engine, "late", accounts=["ana"])
        late = RunFiles.of(engine.directory.billing, "late").plan()
        assert RunItems(engine, late).used == {"account/cleo/0": (1, 510_000_000)}

    with_engine(data, go)
    return data


def test_credit_notes_are_the_invoice_to_the_cent(credited: Path) -> None:
    left = {row["of"]: row for row in query(credited, SUMS)}
    assert {of: row["n"] for of, row in left.items()} == {ANA: 4, BEN: 2, CLEO: 2, DAN: 1}
    for of in (ANA, BEN):
        assert [Decimal(left[of][name]) for name in ("net", "tax", "gross", "paid", "to_pay", "coins", "discount")] == [
            0
        ] * 7
    assert [Decimal(left[CLEO][name]) for name in ("net", "tax", "discount")] == [
        Decimal("4.54"), Decimal("0.91"), Decimal("-0.51"),
    ]  # fmt: skip
    for row in query(credited, TAXES):
        if row["of"] in (ANA, BEN):
            assert [Decimal(row["base"]), Decimal(row["amount"])] == [0, 0]
    told = octroi("bill", "explain", ANA, "--data", credited, "--json").ok().json
    assert [row["invoice"] for row in told["credited"]] == ["CN-2026-000001", "CN-2026-000002", "CN-2026-000003"]
    # items stay billed
    assert query(credited, "SELECT count() AS n FROM fact_billed") == [{"n": 8}]


def test_documents_of_credit_notes_keep_the_rules(credited: Path, tmp_path: Path) -> None:
    for row in query(credited, "SELECT invoice, corrects, gross, to_pay FROM invoice WHERE kind = 'credit_note'"):
        for form in ("ubl", "cii"):
            octroi("bill", "document", row["invoice"], "--out", tmp_path, "--format", form, "--data", credited).ok()
            xml = (tmp_path / f"{row['invoice']}.xml").read_bytes()
            assert check_xml(xml, french=True).valid
            tree = etree.fromstring(xml)
            said = tree.xpath("//*[local-name() = 'PayableAmount' or local-name() = 'DuePayableAmount']")
            assert [Decimal(each.text) for each in said] == [-Decimal(row["to_pay"])]
            assert row["corrects"] in xml.decode()
            assert tree.xpath("//*[local-name() = 'CreditNoteTypeCode' or local-name() = 'TypeCode'][text() = '381']")


def test_the_sales_journal_balances(credited: Path, tmp_path: Path) -> None:
    out = tmp_path / "404833048FEC20261231.txt"
    asked = ("bill", "journal", "--from", "2026-01-01", "--to", "2027-01-01", "--out", out, "--data", credited)
    assert octroi(*asked).ok().out == f"9 entries, 28 lines written to {out}\n"
    text = out.read_bytes().decode("iso8859-15")
    header, *lines = [line.split("\t") for line in text.removesuffix("\r\n").split("\r\n")]
    assert (len(header), header[:3], header[-2:]) == (
        18, ["JournalCode", "JournalLib", "EcritureNum"], ["Montantdevise", "Idevise"],
    )  # fmt: skip
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        amount = Decimal(row["Debit"].replace(",", ".")) - Decimal(row["Credit"].replace(",", "."))
        for key in (("entry", row["EcritureNum"]), ("account", row["CompteNum"])):
            sums[key] = sums.get(key, Decimal(0)) + amount
    assert [sums["entry", str(number)] for number in range(1, 10)] == [0] * 9
    (said,) = query(
        credited, "SELECT sum(to_pay) AS owed, sum(net) AS net, sum(tax) AS tax, sum(paid) AS paid FROM invoice"
    )
    assert [sums["account", account] for account in ("411000", "706000", "445710", "419100")] == [
        Decimal(said["owed"]), -Decimal(said["net"]), -Decimal(said["tax"]), Decimal(said["paid"]),
    ]  # fmt: skip
    first = rows[0]
    assert [first[name] for name in ("PieceRef", "PieceDate", "CompAuxNum", "CompAuxLib", "EcritureLib", "Debit", "Credit")] == [
        ANA, "20261101", "ana", "Ana & <Fils>", f"Facture {ANA}", "1,16", "0,00",
    ]  # fmt: skip
    wrong = octroi(*asked[:3], "soon", *asked[4:])
    assert (wrong.code, '"soon" is no day' in wrong.err) == (2, True)


def test_the_log_makes_the_same_credit_notes(credited: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(credited, tmp_path / "data", symlinks=True))
    before = [query(data, sql) for sql in EVERYTHING]
    shutil.rmtree(data / "store")
    octroi("run", data).ok()
    assert [query(data, sql) for sql in EVERYTHING] == before
    balanced(data)
    done = octroi(
        "bill", "credit", DAN, "--line", "1=0.40", "--reason", "dispute", "--date", "2026-12-01", "--data", data
    ).ok()
    assert done.out.startswith(f"CN-2026-000006 of 2026-12-01 credits {DAN}: dispute\n")
    wrong = octroi("bill", "credit", DAN, "--line", "one", "--reason", "dispute", "--data", data)
    assert (wrong.code, "is no line: write --line 2" in wrong.err) == (2, True)
