"""A wallet that a family shares, with credit for calls in it: stored, charged online, taken back, rated again, replayed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from wallet_world import engine_of, take_calls, write_wallets

from apps.embedded.back_out import back_out
from apps.embedded.charging_looks import check_balance
from apps.embedded.charging_requests import ChargingRequest
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json
from apps.embedded.rerate import rerate
from apps.embedded.rerate_scope import UsageSelection
from apps.embedded.wallet_commands import change_here
from apps.embedded.wallet_looks import show_account
from schemas.charging import ChargingKind

FAMILY = """
---
kind: account
code: family
currency: EUR
level: customer
wallets:
  - {code: purse, type: prepaid, opening_balance: "4", shared_by: customer}
  - {code: calls, type: prepaid, opening_balance: "2", shared_by: customer, pays_for: [{event_type: call}]}
---
{kind: account, code: mum, currency: EUR, parent: family, wallets: []}
---
{kind: account, code: kid, currency: EUR, parent: family, wallets: [{code: own, type: prepaid, priority: 1, opening_balance: "1"}]}
---
{kind: subscription, code: mum, account: mum, offer: talk, access_points: [{id: "11"}]}
---
{kind: subscription, code: kid, account: kid, offer: talk, access_points: [{id: "12"}]}
"""
BALANCES = "SELECT account, wallet, toString(balance), operations FROM account_balance WHERE account IN ('family', 'kid', 'mum')"
OPERATIONS = "SELECT * FROM wallet_operation ORDER BY claim, record, item, part, kind, wallet_id"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_wallets(tmp_path / "data", FAMILY)


def _rows(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    engine.flush()
    assert differences_as_json(engine.store) == []
    return [tuple(row.values()) for row in engine.store.query(sql).to_pylist()]


def _left(engine: Engine, account: str = "kid") -> dict[str, str]:
    return {row["wallet"]: row["balance"] for row in show_account(engine, account)["wallets"]}


def test_a_family_draws_one_wallet_whatever_happens(data: Path) -> None:
    with engine_of(data) as engine:
        take_calls(engine, "a", ("11", 3), ("12", 2))
        assert _left(engine) == {"calls": "0", "purse": "1", "own": "1"}
        assert _left(engine, "mum") == {"calls": "0", "purse": "1"}
        assert [(row["wallet"], row["account"]) for row in show_account(engine, "mum")["wallets"]] == [
            ("calls", "family"), ("purse", "family"),
        ]  # fmt: skip
        first = engine.journal.next_claim - 1
        take_calls(engine, "b", ("11", 1), ("12", 3), ("12", 1))
        assert _left(engine) == {"calls": "0", "purse": "0", "own": "0"}  # three for the kid are too many
        assert [row["available"] for row in check_balance(engine, "mum")] == ["0", "0"]
        change_here(
            engine,
            [{"kind": "top_up", "id": "t", "account": "family", "wallet": "purse", "amount": "9 EUR"}],
        )
        selection = UsageSelection("2026-05-01", "2026-06-01", account="kid")
        assert rerate(engine, selection, "there is credit now", preview=False)["entry"]
        assert _left(engine) == {
            "calls": "0",
            "purse": "5.5",
            "own": "1",
        }  # 3 + 3 + 3 calls, the sixth of the kid at 0.5
        ask = ChargingRequest(ChargingKind.RESERVE, "r", "", "11", "fax", 10)
        future = engine.charging.submit(ask)
        engine.charging.serve(engine)
        assert future.result().granted == 10
        assert [row["available"] for row in check_balance(engine, "kid")] == ["0", "2.5", "1"]
        future = engine.charging.submit(ChargingRequest(ChargingKind.CANCEL, "c", "r", "", "", 0))
        engine.charging.serve(engine)
        assert future.result().amount == 3 * 10**9
        back_out(engine, str(first), "wrong", preview=False)
        balances, operations = _rows(engine, BALANCES), _rows(engine, OPERATIONS)
        assert sorted(row[:3] for row in balances) == [
            ("family", "calls", "2"), ("family", "purse", "8.5"), ("kid", "own", "1"),
        ]  # fmt: skip
    shutil.rmtree(data / "state")
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        assert (_rows(engine, BALANCES), _rows(engine, OPERATIONS)) == (balances, operations)
