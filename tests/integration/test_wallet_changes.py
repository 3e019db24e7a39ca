"""Top-ups, adjustments, transfers and credit that expires: once, in the log, at the store, and again after any restart."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from errno import ENOSPC
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cli_octroi import octroi
from wallet_world import DAY_US, engine_of, take_calls, write_wallets

from apps.embedded.back_out import back_out
from apps.embedded.charging_requests import ChargingRequest
from apps.embedded.engine import Engine
from apps.embedded.facts import differences_as_json
from apps.embedded.intake import Intake
from apps.embedded.rerate import rerate
from apps.embedded.rerate_scope import UsageSelection
from apps.embedded.wallet_commands import change_here
from apps.embedded.wallet_looks import show_account
from pipelines.spool.journal import JournalEntry, Tick
from schemas.charging import ChargingKind

OPERATIONS = """
SELECT id, account, wallet, kind, amount, balance_after FROM wallet_operation WHERE kind != 'opening'
ORDER BY claim, record, part, kind
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_wallets(tmp_path / "data")


def top_up(name: str, amount: str, account: str = "card", wallet: str = "card", **more: str) -> dict[str, Any]:
    return {"kind": "top_up", "id": name, "account": account, "wallet": wallet, "amount": amount, **more}


def adjust(name: str, amount: str, account: str = "card", wallet: str = "card") -> dict[str, Any]:
    return {**top_up(name, amount, account, wallet), "kind": "adjustment", "reason": "because"}


def transfer(name: str, amount: str, account: str, wallet: str, to_wallet: str, **more: str) -> dict[str, Any]:
    return {**top_up(name, amount, account, wallet), "kind": "transfer", "to_wallet": to_wallet, **more}


def within(engine: Engine, days: int) -> str:
    """Return an instant some days after the engine's now."""
    at = engine.journal.stage_time(engine.now()) + days * DAY_US
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat()


def pass_days(engine: Engine, days: int) -> None:
    """Let stage time pass."""
    at = engine.journal.stage_time(engine.now()) + days * DAY_US
    engine.now = lambda: at


def operations(engine: Engine) -> list[tuple[Any, ...]]:
    engine.flush()
    assert differences_as_json(engine.store) == []
    return [tuple(row.values()) for row in engine.store.query(OPERATIONS).to_pylist()]


def everything(engine: Engine) -> dict[str, Any]:
    """Return what there is to compare: state, and rows."""
    engine.flush()
    assert differences_as_json(engine.store) == []
    names = ("fact_usage", "fact_wallet_operation", "fact_wallet_request")
    return {
        "checksum": engine.state.account.checksum(),
        "lots": engine.state.lots.to_array().tobytes(),
        "due": engine.state.lots.next_due,
        **{
            name: engine.store.query(f"SELECT * FROM {name} ORDER BY claim, record, wallet").to_pylist()
            for name in names
        },
    }


def test_what_is_asked_once_moves_once_and_is_answered_the_same_for_ever(data: Path) -> None:
    asked = [
        top_up("p1", "10 EUR"),
        adjust("p2", "-0.5 EUR"),
        transfer("p3", "1.25 EUR", "two", "a", "b"),
        top_up("p1", "10 EUR"),
    ]
    with engine_of(data) as engine:
        first = change_here(engine, asked)
        claim = engine.journal.next_claim - 1
        assert [answer["code"] for answer in first] == ["DONE"] * 4
        assert first[0] == first[3]
        assert {name: first[0][name] for name in ("operation", "balance_before", "balance_after", "amount", "currency")} == {
            "operation": f"tu-{claim}-0", "balance_before": "10", "balance_after": "20", "amount": "10", "currency": "EUR",
        }  # fmt: skip
        assert (first[2]["balance_after"], first[2]["to"]["balance_before"], first[2]["to"]["balance_after"]) == (
            "0.75", "4.25", "5.5",
        )  # fmt: skip
        assert operations(engine) == [
            (f"tu-{claim}-0", "card", "card", "top_up", Decimal(10), Decimal(20)),
            (f"ad-{claim}-1", "card", "card", "adjustment", Decimal("-0.5"), Decimal("19.5")),
            (f"tr-{claim}-2-0", "two", "a", "transfer", Decimal("-1.25"), Decimal("0.75")),
            (f"tr-{claim}-2-1", "two", "b", "transfer", Decimal("1.25"), Decimal("5.5")),
        ]
        (one, other, _) = engine.store.query("SELECT * FROM wallet_request ORDER BY request").to_pylist()
        assert (one["request"], one["kind"], one["operation"], one["reason"], one["expires_at"]) == (
            "p1", "top_up", f"tu-{claim}-0", "", None,
        )  # fmt: skip
        assert (other["operation"], other["reason"], other["wallet"]) == (f"ad-{claim}-1", "because", "card")
        before = everything(engine)
    with engine_of(data) as engine:
        assert everything(engine) == before
        assert change_here(engine, asked) == first
        (reused,) = change_here(engine, [top_up("p1", "11 EUR")])
        assert (reused["code"], reused["id"]) == ("ANOTHER_REQUEST", "p1")
        assert engine.journal.next_claim - 1 == claim
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        assert everything(engine) == before
        assert change_here(engine, asked) == first


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (top_up("x", "10 EUR", "nobody"), "UNKNOWN_WALLET"),
        (top_up("x", "10 EUR", wallet="gift"), "UNKNOWN_WALLET"),
        (top_up("x", "10 USD"), "INVALID_REQUEST"),
        (top_up("x", "ten EUR"), "INVALID_REQUEST"),
        (top_up("x", "-1 EUR"), "INVALID_REQUEST"),
        (top_up("x", "0 EUR"), "INVALID_REQUEST"),
        (top_up("x", "0.0000000001 EUR"), "INVALID_REQUEST"),
        (top_up("x", "9223372037 EUR"), "INVALID_REQUEST"),
        (top_up("x", "1E+900000 EUR"), "INVALID_REQUEST"),
        (top_up("x", "1 EUR", expires="2020-01-01T00:00:00Z"), "INVALID_REQUEST"),
        (top_up("x", "1 EUR", expires="2020-01-01T00:00:00"), "INVALID_REQUEST"),
        (top_up("x", "1 EUR", "both", "bill", expires="2999-01-01T00:00:00Z"), "INVALID_REQUEST"),
        ({**adjust("x", "1 EUR"), "reason": ""}, "INVALID_REQUEST"),
        (adjust("x", "-10.01 EUR"), "INSUFFICIENT_BALANCE"),
        (transfer("x", "3 EUR", "two", "a", "b"), "INSUFFICIENT_BALANCE"),
        (transfer("x", "1 EUR", "two", "a", "a"), "INVALID_REQUEST"),
        (transfer("x", "1 EUR", "two", "a", "card", to_account="card"), "NOT_ONE_GROUP"),
        ({"kind": "gift", "id": "x"}, "INVALID_REQUEST"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_done_moves_nothing_and_is_no_entry(data: Path, body: dict[str, Any], code: str) -> None:
    with engine_of(data) as engine:
        claim = engine.journal.next_claim
        (answer,) = change_here(engine, [body])
        assert (answer["code"], answer["id"]) == (code, "x")
        assert answer["detail"]
        assert engine.journal.next_claim == claim
        assert change_here(engine, [top_up("x", "1 EUR")])[0]["code"] == "DONE"  # the id is free


def test_requests_of_one_entry_are_checked_one_after_another(data: Path) -> None:
    with engine_of(data) as engine:
        asked = [adjust("a", "-8 EUR"), adjust("b", "-8 EUR"), top_up("c", "7 EUR"), adjust("d", "-9 EUR")]
        answers = change_here(engine, asked)
        assert [answer["code"] for answer in answers] == ["DONE", "INSUFFICIENT_BALANCE", "DONE", "DONE"]
        assert answers[-1]["balance_after"] == "0"
        assert change_here(engine, [adjust("e", "-5 EUR", "both", "bill")])[0]["balance_after"] == "-5"  # what is owed


def test_credit_expires_by_stage_time_what_expires_first_is_drawn_first(data: Path) -> None:
    with engine_of(data) as engine:
        change_here(
            engine,
            [
                top_up("late", "4 EUR", expires=within(engine, 30)),
                top_up("soon", "3 EUR", expires=within(engine, 10)),
            ],
        )
        take_calls(engine, "a", ("1", 4))
        lots = show_account(engine, "card")["wallets"][0]["expiring"]
        assert [lot["amount"] for lot in lots] == ["3"]
        pass_days(engine, 11)
        intake = Intake(engine, lambda report: None, Event())
        intake.tick()
        intake.tick()
        assert operations(engine)[-1][3] == "usage"  # nothing was left of it
        pass_days(engine, 20)
        intake.tick()
        intake.tick()
        tick = engine.journal.entries[-1]
        assert isinstance(tick, Tick)
        assert sum(isinstance(entry, Tick) for entry in engine.journal.entries) == 2  # each of them once
        assert operations(engine)[-1] == (f"ex-{tick.claim}-0", "card", "card", "expiry", Decimal(-3), Decimal(10))
        assert show_account(engine, "card")["wallets"][0]["expiring"] == []
        before = everything(engine)
    with engine_of(data) as engine:
        assert everything(engine) == before


def test_lots_that_are_more_than_one_amount_together_expire_all_the_same(data: Path) -> None:
    most = "9223372036.854775807 EUR"
    with engine_of(data) as engine:
        due = within(engine, 1)
        answers = change_here(engine, [top_up(name, most, expires=due) for name in ("p1", "p2", "p3")])
        assert [answer["code"] for answer in answers] == ["DONE"] * 3
        pass_days(engine, 2)
        (answer,) = change_here(engine, [top_up("p4", "1 EUR")])
        assert (answer["balance_before"], answer["balance_after"]) == ("10", "11")
        gone = [(kind, amount) for _, _, _, kind, amount, _ in operations(engine)[3:]]
        assert gone == [("expiry", -Decimal(most.split()[0]))] * 3 + [("top_up", Decimal(1))]
        before = everything(engine)
    shutil.rmtree(data / "state", ignore_errors=True)
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        assert everything(engine) == before


def test_what_a_full_disk_refuses_is_asked_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also under an id that waits twice, and where credit is to expire first."""

    def full(entry: JournalEntry) -> None:
        raise OSError(ENOSPC, "No space left on device")

    asked = [top_up("p2", "2 EUR"), top_up("p2", "2 EUR")]
    with engine_of(data) as engine:
        change_here(engine, [top_up("p1", "1 EUR", expires=within(engine, 1))])
        for days in (0, 2):
            pass_days(engine, days)
            with monkeypatch.context() as disk:
                disk.setattr(engine.journal, "append", full)
                refused = change_here(engine, asked)
            assert [(answer["id"], answer["code"]) for answer in refused] == [("p2", "UNAVAILABLE")] * 2
            assert all("No space left" in answer["detail"] for answer in refused)
        answers = change_here(engine, asked)
        assert [answer["balance_after"] for answer in answers] == ["12", "12"]
        assert [kind for _, _, _, kind, _, _ in operations(engine)] == ["top_up", "expiry", "top_up"]


def test_credit_expires_before_the_entry_that_comes_after_it(data: Path) -> None:
    with engine_of(data) as engine:
        change_here(engine, [adjust("none", "-10 EUR"), top_up("soon", "5 EUR", expires=within(engine, 1))])
        pass_days(engine, 2)
        take_calls(engine, "a", ("1", 1))
        claim = engine.journal.next_claim - 1
        assert operations(engine)[-1] == (f"ex-{claim}-0", "card", "card", "expiry", Decimal(-5), Decimal(0))
        assert engine.store.query(
            "SELECT count() AS n FROM rejection WHERE reason = 'INSUFFICIENT_BALANCE'"
        ).to_pylist() == [{"n": 1}]
        (refused,) = change_here(engine, [adjust("more", "-1 EUR")])
        assert refused["code"] == "INSUFFICIENT_BALANCE"
        change_here(engine, [top_up("again", "5 EUR", expires=within(engine, 1))])
        pass_days(engine, 2)
        (refused,) = change_here(engine, [adjust("over", "-1 EUR")])
        assert refused["code"] == "INSUFFICIENT_BALANCE"  # it expired before it could be taken
        before = everything(engine)
    shutil.rmtree(data / "state")
    with engine_of(data) as engine:
        assert everything(engine) == before


def test_what_a_reservation_holds_expires_once_it_is_given_back(data: Path) -> None:
    with engine_of(data) as engine:
        change_here(engine, [adjust("none", "-10 EUR"), top_up("soon", "5 EUR", expires=within(engine, 1))])
        at = engine.now()
        engine.now = lambda: at + DAY_US - 30_000_000
        future = engine.charging.submit(ChargingRequest(ChargingKind.RESERVE, "r", "", "1", "call", 3, validity_s=90))
        engine.charging.serve(engine)
        assert future.result().granted == 3
        engine.now = lambda: at + DAY_US + 1_000_000
        intake = Intake(engine, lambda report: None, Event())
        intake.tick()
        assert operations(engine)[-1][3:] == ("expiry", Decimal(-2), Decimal(3))
        engine.now = lambda: at + DAY_US + 65_000_000
        engine.charging.serve(engine)  # it gives back what it held
        intake.tick()
        assert operations(engine)[-1][3:] == ("expiry", Decimal(-3), Decimal(0))
        before = everything(engine)
    with engine_of(data) as engine:
        assert everything(engine) == before


def test_usage_that_is_withdrawn_or_rated_again_meets_the_credit_of_now(data: Path) -> None:
    with engine_of(data) as engine:
        take_calls(engine, "a", ("1", 4), ("1", 30))  # the second one is too much
        first = engine.journal.next_claim - 1
        change_here(engine, [top_up("p", "20 EUR", expires=within(engine, 5))])
        result = rerate(
            engine, UsageSelection("2026-05-01", "2026-06-01", account="card"), "there is credit now", preview=False
        )
        assert result["entry"]
        assert show_account(engine, "card")["wallets"][0]["balance"] == "10.5"  # of 30: 5 at 1 and 29 at 0.5
        back_out(engine, str(first), "wrong", preview=False)
        assert show_account(engine, "card")["wallets"][0]["balance"] == "30"
        pass_days(engine, 6)
        take_calls(engine, "b", ("1", 1))
        assert show_account(engine, "card")["wallets"][0]["balance"] == "9"
        before = everything(engine)
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    with engine_of(data) as engine:
        assert everything(engine) == before


def test_the_commands_say_what_moved(data: Path) -> None:
    with engine_of(data):
        pass
    told = octroi("wallet", "top-up", "card", "-w", "card", "-n", "10 EUR", "--id", "p", "--data", data).ok()
    assert told.out == "tu-2-0: 10 EUR to wallet card of account card: 10 before, 20 after\n"
    again = octroi("wallet", "top-up", "card", "-w", "card", "-n", "10 EUR", "--id", "p", "--data", data, "--json").ok()
    assert (again.json["operation"], again.json["balance_after"]) == ("tu-2-0", "20")
    refused = octroi(
        "wallet", "adjust", "card", "-w", "card", "-n", "-50 EUR", "--id", "q", "--reason", "no", "--data", data
    )
    assert (refused.code, refused.out) == (
        2, "q: INSUFFICIENT_BALANCE: wallet 'card' of account 'card' has not that much\n",
    )  # fmt: skip
    moved = octroi(
        "wallet", "transfer", "two", "-w", "a", "-n", "2 EUR", "--to-wallet", "b", "--id", "t", "--data", data
    ).ok()
    assert moved.out.splitlines()[1] == "tr-3-0: 2 EUR to wallet b of account two: 4.25 before, 6.25 after"
    file = data / "many.jsonl"
    file.write_text("".join(json.dumps(top_up(f"m{number % 3}", "1 EUR")) + "\n" for number in range(4)))
    sent = octroi("wallet", "send", file, "--data", data, "--json").ok()
    assert [answer["balance_after"] for answer in sent.json] == ["21", "22", "23", "21"]
    assert "Credit that expires" not in octroi("wallet", "show", "card", "--data", data).ok().out


OVERDRAWN = """
---
{kind: account, code: poor, currency: EUR, wallets: [{code: w, type: prepaid, opening_balance: "1", overdraft: "%s"}]}
---
{kind: subscription, code: poor, account: poor, offer: talk, access_points: [{id: "9"}]}
"""


def test_a_catalog_changes_how_far_below_zero_a_wallet_may_go(tmp_path: Path) -> None:
    data = write_wallets(tmp_path / "data", OVERDRAWN % 3)

    def seen(engine: Engine) -> tuple[str, ...]:
        (wallet,) = show_account(engine, "poor")["wallets"]
        return tuple(wallet[name] for name in ("balance", "reserved", "overdraft", "available"))

    with engine_of(data) as engine:
        take_calls(engine, "a", ("9", 3), ("9", 2))  # the second one is too much
        assert seen(engine) == ("-2", "0", "3", "1")
        future = engine.charging.submit(ChargingRequest(ChargingKind.RESERVE, "r", "", "9", "call", 1, validity_s=3600))
        engine.charging.serve(engine)
        assert future.result().granted == 1
        assert seen(engine) == ("-2", "1", "3", "0")
        engine.snapshot()
    write_wallets(data, OVERDRAWN % 1)
    with engine_of(data) as engine:
        assert seen(engine)[:3] == ("-2", "1", "1")
        take_calls(engine, "b", ("9", 1))
        assert engine.store.query("SELECT count() AS n FROM rejection").to_pylist() == [{"n": 2}]
        (answer,) = change_here(engine, [top_up("p", "10 EUR", "poor", "w", expires=within(engine, 1))])
        assert (answer["balance_before"], answer["balance_after"]) == ("-2", "8")
        take_calls(engine, "c", ("9", 1))
        assert Decimal(seen(engine)[0]) < 8
        before = everything(engine)
    with engine_of(data) as engine:
        assert everything(engine) == before
    shutil.rmtree(data / "state")
    shutil.rmtree(data / "store")
    with engine_of(data) as engine:
        assert everything(engine) == before
