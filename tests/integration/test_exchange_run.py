"""Prices in another currency from the catalog to money: usage and fees converted, rated again by a corrected rate, and undone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cli_octroi import balanced, octroi, query

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: price_plan, code: voice, currency: USD, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, price: "0.30"}]}
---
{kind: charge, code: voice, event_type: call, price_plan: voice}
---
{kind: price_plan, code: setup, currency: USD, versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "10"}]}
---
{kind: one_shot_charge, code: setup, price_plan: setup}
---
{kind: exchange_rates, code: bank, inverse: true, rounding: {decimals: 2}, file: rates.csv}
---
{kind: offer, code: mobile, charges: [voice, setup], exchange_rates: bank}
---
kind: account
code: ana
currency: EUR
wallets: [{code: cash, type: prepaid, opening_balance: "20"}]
---
{kind: subscription, code: ana, account: ana, offer: mobile, start: "2026-10-01T00:00:00Z", access_points: [{id: "1"}]}
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {field: at}
  quantity: {field: seconds, unit: s}
  event_type: {constant: call}
"""
RATES = """pair,rate,start
EUR/USD,1.25,2026-10-01T00:00:00Z
EUR/USD,1.20,2026-10-06T00:00:00Z
"""
CALLS = """id,caller,at,seconds
1,1,2026-10-05T12:00:00Z,60
2,1,2026-10-06T12:00:00Z,600
"""
ITEMS = (
    "SELECT charge, toString(amount) AS amount, currency, price_currency, exchange_rate, status FROM rated_item "
    "ORDER BY claim, record"
)


def _write(data: Path, rates: str) -> None:
    (data / "catalog").mkdir(parents=True, exist_ok=True)
    (data / "catalog" / "catalog.yaml").write_text(CATALOG)
    (data / "catalog" / "rates.csv").write_text(rates)
    octroi("run", data).ok()


def _items(data: Path) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in query(data, ITEMS)]


def test_usage_and_fees_are_converted_rated_again_and_taken_back(tmp_path: Path) -> None:
    data, calls = tmp_path / "data", tmp_path / "calls.csv"
    calls.write_text(CALLS)
    _write(data, RATES)
    octroi("ingest", calls, "--source", "calls", "--data", data).ok()
    octroi("fees", "--until", "2026-11-01", "--data", data).ok()
    converted = [
        ("voice", "0.24", "EUR", "USD", "0.8", "rated"),
        ("voice", "2.5", "EUR", "USD", "5/6", "rated"),
        ("setup", "8", "EUR", "USD", "0.8", "rated"),
    ]
    assert sorted(_items(data)) == sorted(converted)
    told = octroi("explain", "ri-2-1", "--data", data).ok().out
    assert "3.000000 USD at 5/6 EUR for 1 USD (bank), rounded half up to 2 decimals: 2.50 EUR" in told
    assert "as stored" in told
    new = tmp_path / "new"
    _write(new, RATES.replace("1.20", "1.50"))
    span = ("--from", "2026-10-01", "--to", "2026-11-01")
    simulated = octroi("simulate", *span, "--new", new / "catalog", "--data", data, "--json").ok().json
    (total,) = simulated["totals"]
    assert (Decimal(total["before"]), Decimal(total["after"])) == (Decimal("10.74"), Decimal("10.24"))
    _write(data, RATES.replace("1.20", "1.50"))
    octroi("rerate", *span, "--reason", "the bank corrected a rate", "--data", data).ok()
    balanced(data)
    assert {row for row in _items(data) if row[5] == "rated"} == {
        converted[0],
        converted[2],
        ("voice", "2", "EUR", "USD", "2/3", "rated"),
    }
    octroi("files", "back-out", "calls.csv", "--reason", "sent by mistake", "--data", data).ok()
    balanced(data)
    assert [row["left"] for row in query(data, "SELECT toString(sum(amount)) AS left FROM rated_item")] == ["8"]


def test_a_bill_shows_the_amount_before_the_rate(tmp_path: Path) -> None:
    _write(tmp_path, RATES)
    usage = tmp_path / "usage.csv"
    usage.write_text(
        "timestamp,subscription,quantity,unit\n2026-10-05T12:00:00Z,ana,60,s\n2026-09-30T12:00:00Z,ana,60,s\n"
    )
    told = octroi("rate", "--catalog", tmp_path / "catalog", "--usage", usage, "--check", "--rejects-max", "2").out
    assert "0.300000 USD at 0.8 EUR for 1 USD (bank)" in told
    assert "NO_EXCHANGE_RATE" in told
