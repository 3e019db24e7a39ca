"""Discounted usage that an invoice holds, rated again: the next invoice gives back what was paid, discount and all."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cli_octroi import balanced, octroi, query

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: source, code: calls, format: delimited, mapping: {identity: [id], access_point: caller, time: {field: at}, quantity: {field: s}, event_type: {constant: call}}}
---
kind: price_plan
code: call
currency: EUR
versions:
  - {start: "2020-01-01T00:00:00Z", end: "2026-10-01T00:00:00Z", model: flat, per: 1 s, price: "0.01"}
  - {start: "2026-10-01T00:00:00Z", model: flat, per: 1 s, price: "0.01"}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: offer, code: mobile, charges: [call]}
---
{kind: seller, code: shop, country: FR, prices: net, tax_category: consumer}
---
{kind: tax_category, code: consumer}
---
{kind: tax, code: vat, versions: [{start: "2020-01-01T00:00:00Z", rate: "20"}]}
---
{kind: tax_mapping, code: main, rows: [{tax_category: consumer, tax: vat}]}
---
{kind: discount_plan, code: tenth, items: [{code: off, type: percentage, value: "10"}]}
---
{kind: account, code: cleo, currency: EUR, country: FR, discounts: [{plan: tenth, end: "2026-10-01T00:00:00Z"}]}
---
{kind: account, code: dora, currency: EUR, country: FR, discounts: [{plan: tenth, end: "2026-10-01T00:00:00Z"}]}
---
{kind: subscription, code: cleo, account: cleo, offer: mobile, access_points: [{id: "4"}]}
---
{kind: subscription, code: dora, account: dora, offer: mobile, access_points: [{id: "5"}]}
---
{kind: billing_cycle, code: monthly, default: true, zone: UTC, number: "{year}-{month}-{number:4}"}
"""
USAGE = """id,caller,at,s
1,4,2026-09-05T10:00:00Z,1005
2,5,2026-09-06T10:00:00Z,1000
3,4,2026-10-05T10:00:00Z,2000
4,5,2026-10-06T10:00:00Z,2000
"""
BILLED = "SELECT account, net, tax FROM invoice WHERE run = '%s' ORDER BY account"
LINES = """
SELECT i.account AS account, l.kind AS kind, toString(sum(l.net)) AS net
FROM invoice_line AS l JOIN invoice AS i ON i.invoice = l.invoice WHERE i.run = 'oct' GROUP BY account, kind ORDER BY account, kind
"""


def _bill(data: Path, run: str, until: str) -> dict[str, tuple[Decimal, Decimal]]:
    octroi("bill", "run", "plan", run, "--until", until, "--data", data).ok()
    for step in ("execute", "validate"):
        octroi("bill", "run", step, run, "--data", data).ok()
    return {row["account"]: (Decimal(row["net"]), Decimal(row["tax"])) for row in query(data, BILLED % run)}


def test_a_refund_mirrors_the_discount_that_was_billed(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "calls.csv"
    (data / "catalog").mkdir(parents=True)
    (data / "catalog" / "all.yaml").write_text(CATALOG)
    file.write_text(USAGE)
    octroi("ingest", file, "--source", "calls", "--data", data).ok()
    september = _bill(data, "sep", "2026-10-01")
    # 10 % of 10.05 is 1.005, rounded half up; 10 % of 10.00
    assert september == {"cleo": (Decimal("9.04"), Decimal("1.81")), "dora": (Decimal("9.00"), Decimal("1.80"))}
    # September should have been free for all, and the discount ended with it
    (data / "catalog" / "all.yaml").write_text(CATALOG.replace('price: "0.01"', 'price: "0"', 1))
    octroi("run", data).ok()
    period = ("--from", "2026-09-01", "--to", "2026-10-01")
    told = octroi("rerate", *period, "--reason", "September was free", "--data", data, "--json").ok().json
    (refund,) = told["refunds"]
    assert (refund["items"], Decimal(refund["amount"])) == (2, Decimal("20.05"))
    october = _bill(data, "oct", "2026-11-01")
    assert {(row["account"], row["kind"]): Decimal(row["net"]) for row in query(data, LINES)} == {
        ("cleo", "usage"): Decimal("9.95"), ("cleo", "discount"): Decimal("1.01"),
        ("dora", "usage"): Decimal("10.00"), ("dora", "discount"): Decimal("1.00"),
    }  # fmt: skip
    # 20.00 of October without a discount, and what was paid for September, to the cent
    for account, (net, _) in october.items():
        assert net + september[account][0] == Decimal("20.00")
    assert october["dora"][1] + september["dora"][1] == Decimal("4.00")
    assert octroi("rerate", *period, "--reason", "again", "--data", data, "--json").ok().json["entry"] == 0
    balanced(data)
