"""A bundle of units bought as a top-up that expires: drawn before money, given back to, rated again, charged online, replayed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi
from wallet_world import DAY_US, engine_of, take_calls, write_wallets

from apps.embedded.back_out import back_out
from apps.embedded.charging_looks import check_balance
from apps.embedded.charging_requests import ChargingRequest
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json
from apps.embedded.rerate import rerate
from apps.embedded.rerate_scope import UsageSelection
from apps.embedded.simulate import simulate
from apps.embedded.wallet_commands import change_here
from apps.embedded.wallet_looks import show_account
from schemas.charging import ChargingKind

BUNDLE = """
---
{kind: price_plan, code: talk-pack, currency: event, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
{kind: charge, code: talk-pack, event_type: call, price_plan: talk-pack, priority: 1, when_used_up: next}
---
{kind: offer, code: packed, charges: [talk-pack, call]}
---
kind: account
code: bea
currency: EUR
wallets:
  - {code: calls, type: prepaid, unit: event, notify_below: ["1"]}
  - {code: money, type: prepaid, opening_balance: "10"}
---
{kind: subscription, code: bea, account: bea, offer: packed, access_points: [{id: "21"}]}
---
{kind: account, code: dan, currency: EUR, wallets: [{code: data, type: prepaid, unit: GB}, {code: talk, type: prepaid, unit: s, notify_below: ["60", "0"]}]}
"""
QUERIES = (
    "SELECT account, wallet, currency, toString(balance), operations FROM account_balance WHERE account = 'bea' ORDER BY wallet",
    "SELECT * FROM wallet_operation ORDER BY claim, record, item, part, kind, wallet_id",
    "SELECT id, charge, currency, toString(amount) FROM rated_item WHERE account = 'bea' ORDER BY id",
    "SELECT wallet, unit, toString(level), toString(after), branch, subscription FROM notification ORDER BY id",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_wallets(tmp_path / "data", BUNDLE)


def _rows(engine: Engine) -> list[list[tuple[Any, ...]]]:
    engine.flush()
    assert differences_as_json(engine.store) == []
    return [[tuple(row.values()) for row in engine.store.query(sql).to_pylist()] for sql in QUERIES]


def _left(engine: Engine) -> list[tuple[str, str, str]]:
    return [(row["wallet"], row["balance"], row["currency"]) for row in show_account(engine, "bea")["wallets"]]


def _charge(engine: Engine, kind: ChargingKind, name: str, of: str = "", quantity: int = 0) -> Any:
    said = ("", "") if of else ("21", "call")
    future = engine.charging.submit(ChargingRequest(kind, name, of, *said, quantity))
    engine.charging.serve(engine)
    return future.result()


def test_a_bundle_pays_first_and_everything_returns_to_where_it_came_from(data: Path) -> None:
    with engine_of(data) as engine:
        day = engine.journal.stage_time(engine.now()) + 5 * DAY_US
        expires = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=day)).isoformat()
        bought = {
            "kind": "top_up",
            "id": "t",
            "account": "bea",
            "wallet": "calls",
            "amount": "5 event",
            "expires": expires,
        }
        refused = [bought | {"id": "u", "amount": "5 EUR"}, bought | {"id": "v", "amount": "5 s"}]
        answers = change_here(engine, [bought, *refused])
        assert [answer["code"] for answer in answers] == ["DONE", "UNKNOWN_WALLET", "UNKNOWN_WALLET"]
        assert answers[0]["balance_after"] == "5"
        take_calls(engine, "a", ("21", 3), ("21", 4))  # 3 and 2 of the bundle, 2 at 1
        first = engine.journal.next_claim - 1
        assert _left(engine) == [("calls", "0", "event"), ("money", "8", "EUR")]
        notified, amounts = _rows(engine)[3], _rows(engine)[2]
        assert [row[:3] for row in notified] == [("calls", "event", "1")]
        assert sorted(row[1:] for row in amounts) == [
            ("call", "EUR", "2"), ("talk-pack", "event", "2"), ("talk-pack", "event", "3"),
        ]  # fmt: skip
        assert not [lot for row in show_account(engine, "bea")["wallets"] for lot in row["expiring"]]
        back_out(engine, str(first), "wrong", preview=False)
        assert _left(engine) == [("calls", "5", "event"), ("money", "10", "EUR")]
        take_calls(engine, "b", ("21", 7))
        change_here(engine, [bought | {"id": "w", "amount": "1 event"}])
        selection = UsageSelection("2026-05-01", "2026-06-01", account="bea")
        told = rerate(engine, selection, "there is more now", preview=False)
        assert [(row["before"], row["after"], row["currency"]) for row in told["totals"]] == [
            ("2.000000000", "1.000000000", "EUR")
        ]
        assert _left(engine) == [("calls", "0", "event"), ("money", "9", "EUR")]
        change_here(engine, [bought | {"id": "x", "amount": "4 event"}])
        assert _charge(engine, ChargingKind.RESERVE, "r", quantity=6).amount == 2 * 10**9
        assert [(row["available"], row["reserved"]) for row in check_balance(engine, "bea")] == [("0", "4"), ("7", "2")]
        assert _charge(engine, ChargingKind.CONFIRM, "c", "r", 3).amount == 0
        assert _charge(engine, ChargingKind.REFUND, "f", "c").amount == 0
        assert _left(engine) == [("calls", "4", "event"), ("money", "9", "EUR")]
        engine.now = lambda: day + DAY_US
        take_calls(engine, "d", ("21", 1))
        change_here(engine, [bought | {"id": "y", "expires": None, "amount": "3 event"}])
        told = simulate(engine, selection, old="current", new="current", top=0, csv=None)
        assert {row["charge"]: row["after"] for row in told["charges"]} == {
            "call": "5.000000000",
            "talk-pack": "3.000000000",
        }
        before = _rows(engine)
    shutil.rmtree(data / "state")
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        assert _rows(engine) == before
    item = next(row[0] for row in before[2] if row[1] == "talk-pack" and row[3] == "6")
    told = octroi("explain", item, "--data", data).ok().out
    assert "wallet calls: -6 event" in told
    assert "computed again in decimals: 6 event, as stored" in told
    shown = octroi("wallet", "show", "bea", "--data", data).ok().out
    assert ["calls", "prepaid", "event"] in [line.split()[:3] for line in shown.splitlines()]


def test_a_top_up_may_say_another_unit_of_the_dimension(data: Path) -> None:
    with engine_of(data) as engine:
        bought = {"kind": "top_up", "id": "a", "account": "dan", "wallet": "data", "amount": "1500 MB"}
        answers = change_here(
            engine,
            [
                bought,
                bought,
                bought | {"id": "b", "kind": "adjustment", "amount": "-0.5 MB", "reason": "r"},
                bought | {"id": "c", "wallet": "talk", "amount": "1.5 min"},
                bought | {"id": "d", "amount": "0.000000001 MB"},
                bought | {"id": "e", "wallet": "talk", "amount": "1 MB"},
                bought | {"id": "f", "amount": "9000000000 TB"},
            ],
        )
        told = [answer.get("balance_after", answer["code"]) for answer in answers]
        assert told == ["1.5", "1.5", "1.4995", "90", "INVALID_REQUEST", "UNKNOWN_WALLET", "INVALID_REQUEST"]
        assert [(answer["amount"], answer["currency"]) for answer in answers[:3]] == [
            ("1.5", "GB"), ("1.5", "GB"), ("-0.0005", "GB"),
        ]  # fmt: skip
        assert change_here(engine, [bought | {"amount": "1.5 GB"}]) == change_here(engine, [bought])


def test_movements_tell_of_levels_once(data: Path) -> None:
    with engine_of(data) as engine:
        day = engine.journal.stage_time(engine.now()) + 5 * DAY_US
        moved = {"account": "dan", "wallet": "talk", "reason": "r"}
        bought = moved | {"kind": "top_up", "expires": str(datetime.fromtimestamp(day / 1e6, UTC))}
        change_here(
            engine,
            [
                bought | {"id": "a", "amount": "100 s"},  # it rises past both levels: nothing is told
                moved | {"kind": "adjustment", "id": "b", "amount": "-30 s"},
                moved | {"kind": "adjustment", "id": "c", "amount": "-10 s"},
                moved | {"kind": "adjustment", "id": "d", "amount": "-10 s"},
                bought | {"id": "e", "amount": "50 s"},
            ],
        )
        engine.now = lambda: day + DAY_US
        change_here(engine, [moved | {"kind": "top_up", "id": "f", "amount": "1 s"}])
        told = _rows(engine)[3]
        assert told == [
            ("talk", "s", "60", "60", 255, ""), ("talk", "s", "60", "0", 254, ""), ("talk", "s", "0", "0", 254, ""),
        ]  # fmt: skip
        engine.flush()
    shutil.rmtree(data / "state")
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        assert _rows(engine)[3] == told
