"""Billing runs from usage to issued invoices: taxes on sums, left out and why, numbers, marks, crashes, and a recount by SQL."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from billing_world import make_usage, plan, step, with_engine
from cli_octroi import balanced, octroi, query

from apps.embedded import billing_issue
from apps.embedded.backup import cut
from apps.embedded.bill import UnableToBill, bill
from apps.embedded.billing_files import RunFiles, UnableToBillRun
from pipelines.spool.journal import Journal

TOTALS = "SELECT invoice, account, net, tax, gross, paid, to_pay, items FROM invoice ORDER BY invoice"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Usage of October, rated; nothing is billed."""
    return make_usage(tmp_path_factory.mktemp("bills"))


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data", symlinks=True))


def test_a_run_makes_invoices_that_add_up(data: Path, tmp_path: Path) -> None:
    told = octroi("bill", "run", "plan", "oct", "--until", "2026-11-01", "--data", data, "--json").ok().json
    (total,) = told["totals"]
    assert (told["period_start"], told["period_end"], told["due_date"]) == ("2026-10-01", "2026-11-01", "2026-12-01")
    assert (total["accounts"], total["invoices"], total["items"]) == (4, 4, 8)
    assert told["left"] == [
        {"why": "paid_in_advance", "currency": "EUR", "accounts": 1, "items": 1, "amount": "0.900000000"}
    ]
    assert octroi("bill", "run", "execute", "oct", "--data", data).ok().out.startswith("run oct: 1 part drafted\n")
    issued = octroi("bill", "run", "validate", "oct", "--data", data, "--json").ok().json
    assert (issued["state"], issued["series"]) == ("validated", [["INV-2026-11-{number:4}", 1, 4]])
    rows = query(data, TOTALS)
    amounts = {
        row["account"]: tuple(Decimal(row[name]) for name in ("net", "tax", "gross", "paid", "to_pay")) for row in rows
    }
    # 0.66 at 20 %, 0.34 at 10 %: each once on the sum
    assert amounts["ana"] == (Decimal("1.00"), Decimal("0.16"), Decimal("1.16"), 0, Decimal("1.16"))
    # 0.10 of 0.50 was paid by the wallet, the rest is owed
    assert amounts["ben"] == (Decimal("2.50"), Decimal("0.50"), Decimal("3.00"), Decimal("0.10"), Decimal("2.90"))
    # 10 % of 10.05 is 1.005, rounded half up
    assert amounts["cleo"] == (Decimal("9.04"), Decimal("1.81"), Decimal("10.85"), 0, Decimal("10.85"))
    assert amounts["dan"] == (Decimal("1.00"), 0, Decimal("1.00"), 0, Decimal("1.00"))
    assert [row["invoice"] for row in rows] == [f"INV-2026-11-{number:04}" for number in (1, 2, 3, 4)]
    recounted(data)
    lines = octroi("bill", "explain", "INV-2026-11-0001", "--data", data, "--json").ok().json["lines"]
    assert [(line["subscription"], line["items"], Decimal(line["net"])) for line in lines] == [
        ("ana-1", 2, Decimal("0.34")), ("ana-1", 1, Decimal("0.33")), ("ana-2", 1, Decimal("0.33")),
    ]  # fmt: skip
    line = octroi("bill", "explain", "INV-2026-11-0001/1", "--data", data, "--json").ok().json
    assert sum(Decimal(item["amount"]) for item in line["items"]) == Decimal(line["lines"][0]["exact"])
    # what came later is for the next run, and nothing is billed twice
    file = tmp_path / "more.csv"
    file.write_text("id,caller,at,s\n11,1,2026-10-07T10:00:00Z,50\n")
    octroi("ingest", file, "--source", "calls", "--data", data).ok()
    again = octroi("bill", "run", "plan", "late", "--until", "2026-11-01", "--data", data, "--json").ok().json
    assert again["totals"][0]["items"] == 1
    # the store is made again from the log
    before = [
        query(data, sql)
        for sql in (
            TOTALS,
            "SELECT * FROM fact_invoice_line ORDER BY invoice, line",
            "SELECT * FROM fact_billed ORDER BY claim, record",
        )
    ]
    balanced(data)
    shutil.rmtree(data / "store")
    octroi("run", data).ok()
    assert [
        query(data, sql)
        for sql in (
            TOTALS,
            "SELECT * FROM fact_invoice_line ORDER BY invoice, line",
            "SELECT * FROM fact_billed ORDER BY claim, record",
        )
    ] == before


def recounted(data: Path) -> None:
    """Recount all sums of invoices by SQL, from the items up."""
    wrong = """
SELECT i.invoice AS invoice FROM fact_invoice AS i
LEFT JOIN (SELECT invoice, sum(net) AS net, sum(items) AS items, count() AS n FROM fact_invoice_line WHERE kind = 'usage' OR kind = 'discount' GROUP BY invoice) AS l ON l.invoice = i.invoice
LEFT JOIN (SELECT invoice, sum(tax_amount) AS tax, sum(base) AS base FROM fact_invoice_tax GROUP BY invoice) AS t ON t.invoice = i.invoice
WHERE i.net != l.net OR i.items != l.items OR i.line_count != l.n OR i.tax != t.tax OR i.net != t.base OR i.gross != i.net + i.tax
  OR i.to_pay != i.gross - i.paid + i.cash_rounding"""
    assert query(data, wrong) == []
    lines = """
SELECT l.invoice AS invoice, l.line AS line FROM fact_invoice_line AS l
LEFT JOIN (
  SELECT b.invoice AS invoice, b.line AS line, count() AS n, sum(toDecimal128(u.amount, 9)) AS amount, sum(toInt128(u.rated_quantity)) AS quantity
  FROM fact_billed AS b JOIN fact_usage AS u ON u.claim = b.claim AND u.record = b.record AND u.branch = b.branch AND u.item = b.item
  GROUP BY invoice, line
) AS s ON s.invoice = l.invoice AND s.line = l.line
WHERE l.kind = 'usage' AND (l.items != s.n OR l.exact != s.amount OR toInt128(l.quantity) != s.quantity)"""
    assert query(data, lines) == []


def test_parts_change_nothing_and_a_killed_run_goes_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def go(engine: Any) -> None:
        whole = RunFiles.of(engine.directory.billing, "whole")
        plan(engine, "whole")
        step(engine, "execute", "whole")
        first = {path.name: path.read_bytes() for path in sorted(whole.path.glob("part-*"))}
        for path in whole.path.glob("part-*"):
            path.unlink()
        step(engine, "execute", "whole")
        assert {path.name: path.read_bytes() for path in sorted(whole.path.glob("part-*"))} == first
        small = RunFiles.of(engine.directory.billing, "oct")
        plan(engine, "oct", part_rows=4)
        assert small.plan().parts == 3
        while step(engine, "execute", "oct", seconds=0)["done"] < 3:
            pass
        one = next(whole.parts(whole.plan()))[1]
        several = [tables for _, tables in small.parts(small.plan())]
        for name in ("lines", "taxes"):
            rows = [row for tables in several for row in tables[name].to_pylist()]
            assert sorted(map(str, rows)) == sorted(map(str, one[name].to_pylist()))
        # killed between the entry that issues a part and its marks
        with monkeypatch.context() as patch:
            patch.setattr(engine.journal, "append_all", lambda entries: _torn(engine, entries))
            with pytest.raises(KeyboardInterrupt):
                step(engine, "validate", "oct")

    with_engine(data, go)

    def resume(engine: Any) -> None:
        assert len(billing_issue.issued_parts(engine, "oct")) == 1
        with pytest.raises(UnableToBillRun, match="corrected by credit notes"):
            step(engine, "cancel", "oct", reason="x")
        told = step(engine, "validate", "oct")
        assert (told["state"], sum(block[2] for block in told["series"])) == ("validated", 4)
        assert [block[1] for block in told["series"]] == sorted(block[1] for block in told["series"])
        assert step(engine, "validate", "oct") == told
        # the other run has the same items
        with pytest.raises(UnableToBillRun, match="by now: cancel the run"):
            step(engine, "validate", "whole")
        assert step(engine, "cancel", "whole", reason="billed by oct")["state"] == "cancelled"
        assert cut(engine)["billing"] == [
            "oct/plan.json", "oct/without.json", "whole/cancelled.json", "whole/plan.json", "whole/without.json",
        ]  # fmt: skip

    with_engine(data, resume)
    recounted(data)
    assert query(data, "SELECT count() AS n, uniqExact(claim, record, branch, item) AS u FROM fact_billed") == [
        {"n": 8, "u": 8}
    ]


def _torn(engine: Any, entries: list[Any]) -> None:
    """Append only the first entry, as a crash may."""
    Journal.append_all(engine.journal, entries[:1])
    raise KeyboardInterrupt


def test_what_is_little_waits_and_what_is_left_out_comes_later(data: Path) -> None:
    text = (data / "catalog" / "all.yaml").read_text()
    (data / "catalog" / "all.yaml").write_text(
        text.replace("zone: Europe/Paris", 'zone: Europe/Paris, threshold: "2", split: [account]')
    )
    told = octroi("bill", "run", "plan", "oct", "--until", "2026-11-01", "--data", data, "--json").ok().json
    assert [(row["why"], row["accounts"]) for row in told["left"]] == [("below_threshold", 2), ("paid_in_advance", 1)]
    assert told["totals"][0]["invoices"] == 2

    def go(engine: Any) -> None:
        step(engine, "execute")
        assert step(engine, "validate", without=("cleo",))["invoices_issued"] == 1
        with pytest.raises(UnableToBillRun, match="validating began without cleo"):
            step(engine, "validate", without=("ben",))
        plan(engine, "later")
        assert step(engine, "execute", "later")["totals"][0]["accounts"] == 1
        with pytest.raises(UnableToBillRun, match="is planned otherwise already"):
            plan(engine, "later", until="2026-10-01")
        # a run that is issued in part, and whose rest will not be
        plan(engine, "rest", part_rows=1, date="2026-12-01")
        step(engine, "execute", "rest")
        assert step(engine, "validate", "rest", seconds=0)["issued"] == 1
        with pytest.raises(UnableToBillRun, match="--rest cancels the"):
            step(engine, "cancel", "rest", reason="x")
        told = step(engine, "cancel", "rest", reason="x", rest=True)
        assert (told["state"], told["issued"]) == ("closed", 1)
        assert step(engine, "report", "rest")["state"] == "closed"
        with pytest.raises(UnableToBillRun, match="plan another one"):
            step(engine, "validate", "rest")
        # numbers of others are not given again, and ours are not theirs
        (item,) = engine.store.query(
            "SELECT id FROM rated_item WHERE status = 'rated' AND account = 'ana' ORDER BY id LIMIT 1"
        )["id"].to_pylist()
        marks = data / "marks.csv"
        marks.write_text(f"item,invoice\n{item},INV-2026-11-0001\n")
        with pytest.raises(UnableToBill, match="INV-2026-11-0001 was issued here"):
            bill(engine, str(marks))
        marks.write_text(f"item,invoice\n{item},INV-2026-11-0002\n")
        bill(engine, str(marks))
        plan(engine, "again")
        step(engine, "execute", "again")
        with pytest.raises(UnableToBillRun, match="number INV-2026-11-0002 is of an invoice that `octroi bill mark`"):
            step(engine, "validate", "again")

    with_engine(data, go)
