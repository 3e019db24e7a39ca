"""From a tenant to a bill of what was used, while the engine runs: tenant, customer, offer, subscription, events, balance, query."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cli_octroi import balanced, end, octroi, query, running, until

SOLD = """\
{kind: event_type, code: voice, unit: s}
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {field: started_at}
  quantity: {field: seconds}
  event_type: {field: type, values: {voice: voice}}
---
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2020-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.10"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: offer, code: mobile, charges: [voice]}
"""
NUMBER = "33600000001"


def test_from_a_tenant_to_what_was_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    octroi("tenant", "add", "acme", "--name", "Acme Telecom", "--data", tmp_path / "data").ok()
    data = tmp_path / "data" / "tenants" / "acme"
    (data / "catalog").mkdir()
    (data / "catalog" / "sold.yaml").write_text(SOLD)
    began = datetime.now(UTC) - timedelta(hours=1)

    def call(number: int, seconds: int, after: int) -> str:
        return f"{number},voice,{NUMBER},{(began + timedelta(minutes=after)).isoformat()},{seconds}\n"

    def drop(name: str, *calls: str) -> None:
        written = tmp_path / name
        written.write_text("id,type,caller,started_at,seconds\n" + "".join(calls))
        written.rename(data / "spool" / "calls" / name)

    with running("run", data, "--follow", OCTROI_POLL_MS="50") as engine:
        until(lambda: (data / "owner.sock").exists() and (data / "spool" / "calls").is_dir(), "the engine")
        # a customer who has paid one euro in advance, and what she buys
        octroi("account", "add", "acme", "--kind", "seller", "currency=EUR", "--data", data).ok()
        wallet = 'wallets=[{"code": "credit", "type": "prepaid", "opening_balance": "1"}]'
        octroi(
            "account", "add", "ana", "--kind", "customer", "parent=acme", wallet, "--all-levels", "--data", data
        ).ok()
        octroi(
            "subscription", "add", "ana-mobile", "account=ana-ba", "offer=mobile", f"start={began.isoformat()}",
            "-p", NUMBER, "--data", data,
        ).ok()  # fmt: skip
        told = octroi("catalog", "publish", "--data", data, "--json").ok().json
        assert (told["accounts"], told["subscriptions"]) == (1, 1)
        assert told["image"]
        # no restart: the running engine knows her
        drop("monday.csv", call(1, 60, 1), call(2, 120, 2))
        until(lambda: len(query(data, "SELECT id FROM rated_item")) == 2, "two rated items", 300)
        (shown,) = octroi("wallet", "show", "ana-ba", "--data", data, "--json").ok().json["wallets"]
        assert Decimal(shown["balance"]) == Decimal("0.7")
        used = query(data, "SELECT account, subscription, quantity, amount FROM rated_item ORDER BY quantity")
        assert [(row["account"], row["subscription"], int(Decimal(row["quantity"]))) for row in used] == [
            ("ana-ba", "ana-mobile", 60),
            ("ana-ba", "ana-mobile", 120),
        ]
        # suspended as of ten minutes after she began: usage before is still her own, usage behind nobody's
        when = (began + timedelta(minutes=10)).isoformat()
        octroi("subscription", "suspend", "ana-mobile", "--at", when, "--data", data).ok()
        again = octroi("catalog", "publish", "--data", data, "--json").ok().json
        assert again["image"] != told["image"]
        drop("tuesday.csv", call(3, 60, 9), call(4, 60, 11))
        until(lambda: len(query(data, "SELECT id FROM rated_item")) == 3, "one rated item more")
        refused = octroi("rejects", "list", "--data", data, "--json").ok().json
        assert [row["reason"] for row in refused["rejections"]] == ["ACCESS_POINT_NOT_VALID_AT"]
        # what cannot be is told, and nothing changes
        octroi("subscription", "add", "ana-2", "account=ana-ba", "offer=gone", "-p", "2", "--data", data).ok()
        wrong = octroi("catalog", "publish", "--data", data)
        assert (wrong.code, 'the offer "gone" is unknown' in wrong.err) == (3, True)
        assert [row["status"] for row in octroi("catalog", "list", "--data", data, "--json").json].count("current") == 1
        octroi("backup", tmp_path / "backup", "--data", data).ok()  # while it runs
        assert end(engine, signal.SIGTERM).code == 0
    balanced(data)
    monkeypatch.setenv("OCTROI_TENANT", "acme")
    octroi("restore", tmp_path / "backup", "--data", tmp_path / "restored").ok()
    restored = octroi("subscription", "show", "ana-2", "--data", tmp_path / "restored", "--json").ok().json
    monkeypatch.delenv("OCTROI_TENANT")
    assert restored == octroi("subscription", "show", "ana-2", "--data", data, "--json").ok().json
    (current,) = [row for row in octroi("catalog", "list", "--data", data, "--json").json if row["status"] == "current"]
    assert current["image"] == again["image"]
