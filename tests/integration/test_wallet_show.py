"""`octroi wallet show`: what an account has, between two blocks, without a trace."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from charging_twin import CATALOG
from cli_octroi import octroi
from wallet_world import engine_of, take_calls, write_wallets

from apps.embedded.charging_requests import ChargingRequest, UnableToRequest
from apps.embedded.wallet_looks import show_account
from pipelines.spool.journal import read_entries
from schemas.charging import ChargingKind

SPEND = """
---
{kind: counter, code: spend, unit: EUR, function: amount, period: year}
---
{kind: counter, code: family, unit: event, shared_by: account, period: ever}
---
{kind: offer, code: loud, charges: [call], accumulate: [spend, family]}
---
{kind: account, code: home, currency: EUR}
---
{kind: subscription, code: kid, account: home, offer: loud, access_points: [{id: "7"}]}
---
{kind: subscription, code: pet, account: home, offer: loud, access_points: [{id: "8"}]}
"""
MAY = int(datetime(2026, 5, 20, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_wallets(tmp_path / "data", SPEND)


def test_wallets_counters_and_reservations_are_told_with_their_position(data: Path) -> None:
    with engine_of(data) as engine:
        take_calls(engine, "a", ("1", 3), ("7", 6), ("8", 1))
        reserve = ChargingRequest(ChargingKind.RESERVE, "r", "", "1", "call", 2, at=MAY)
        future = engine.charging.submit(reserve)
        engine.charging.serve(engine)
        assert future.result().granted == 2
        engine.now = lambda: MAY
        engine.journal.stage_time = lambda now: now  # type: ignore[method-assign]
        engine.state.charging.at = 0
        found = show_account(engine, "card")
        assert found["wallets"] == [
            {
                "wallet": "card", "account": "card", "type": "prepaid", "currency": "EUR", "balance": "7", "reserved": "2",
                "available": "5", "overdraft": "0", "expiring": [], "pays_for": [],
            }
        ]  # fmt: skip
        rows = [row for row in found["counters"] if row["counter"] == "monthly"]  # what is reserved is counted, too
        assert [(row["counter"], row["holder"], row["period"], row["used"], row["used_steps"]) for row in rows] == [
            ("monthly", "card", "2026-05", "5", 5),
            ("monthly", "card2", "2026-05", "0", 0),
        ]
        state = engine.state
        assert found["as_of"] == {
            "entry": state.claim,
            "block": 0,
            "segment": state.charging.segment,
            "frame": 1,
            "at": "2026-05-20T00:00:00+00:00",
        }
        home = show_account(engine, "home")
        assert home["wallets"][0] | {"currency": ""} == {
            "wallet": "principal", "account": "home", "type": "postpaid", "currency": "", "balance": "-6.5", "reserved": "0",
            "available": "-6.5", "overdraft": None, "expiring": [], "pays_for": [],
        }  # fmt: skip
        assert [
            (row["counter"], row["holder"], row["period"], row["used"], row["unit"]) for row in home["counters"]
        ] == [
            ("family", "account/home", "", "7", "event"),
            ("monthly", "kid", "2026-05", "6", "event"),
            ("monthly", "pet", "2026-05", "1", "event"),
            ("spend", "kid", "2026", "5.5", "EUR"),
            ("spend", "pet", "2026", "1", "EUR"),
        ]
        engine.now = lambda: MAY + 86_400_000_000 * 31
        assert {row["used"] for row in show_account(engine, "home")["counters"] if row["counter"] == "monthly"} == {"0"}
        with pytest.raises(UnableToRequest, match="no account 'nobody'"):
            show_account(engine, "nobody")


def test_the_command_tells_it_and_leaves_no_trace(data: Path) -> None:
    with engine_of(data) as engine:
        take_calls(engine, "a", ("1", 4))
    (data / "catalog" / "catalog.yaml").write_text(CATALOG % 2)
    before = sorted(path.name for path in (data / "state").iterdir()), len(read_entries(data / "journal.log"))
    told = octroi("wallet", "show", "card", "--data", data).ok()
    assert "account card as of 20" in told.out
    assert [line.split() for line in told.out.splitlines() if line.strip().startswith("card  ")] == [
        ["card", "prepaid", "EUR", "6", "0", "0", "6"]
    ]
    assert "monthly" in told.out
    found = octroi("wallet", "show", "home", "--data", data, "--json").ok().json
    assert found["wallets"][0]["wallet"] == "principal"
    assert before == (sorted(path.name for path in (data / "state").iterdir()), len(read_entries(data / "journal.log")))
    refused = octroi("wallet", "show", "nobody", "--data", data)
    assert (refused.code, refused.err) == (2, "octroi: the catalog in force has no account 'nobody'\n")
