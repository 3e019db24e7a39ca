"""Usage rated again: what changes is taken back and replaced, in the order of events, and nothing is lost on the way."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, CATALOG, STRANGER, call, write_calls, write_catalog
from cli_octroi import Told, balanced, octroi, query

from apps.embedded import rerate_deltas

COUNTED = (
    CATALOG.replace(
        'model: flat, per: "1 min", price: "0.60"',
        'model: graduated, per: "1 min", counter: month, tiers: [{up_to: "10 min", price: "0"}, {price: "0.60"}]',
    ).replace(
        "{kind: account, code: bob, currency: EUR}",
        'kind: account\ncode: bob\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: "1"}, '
        '{code: credit, type: prepaid, priority: 2, opening_balance: "1"}]',
    )
    + """---
{kind: counter, code: month, unit: min, period: month}
"""
)
"""Ten minutes a month are free; Bob has paid two euros in advance, in two wallets."""
DEARER = COUNTED.replace('{price: "0.60"}', '{price: "1.20"}')
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")
NEW = (
    call(1, 300, at="2026-10-05T12:00:00Z"),
    call(2, 300, at="2026-10-04T12:00:00Z"),
    call(3, 300, at="2026-10-03T12:00:00Z"),
    call(4, 700, at="2026-11-03T12:00:00Z"),
    call(5, 720, BOB, at="2026-10-07T12:00:00Z"),
    call(6, 60, BOB, at="2026-10-06T12:00:00Z"),
    call(7, 300, BOB, at="2026-10-06T12:00:00Z"),
)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("taken")
    data = write_catalog(directory / "data", COUNTED)
    octroi("ingest", write_calls(directory / "calls.csv", *NEW), "--source", "calls", "--data", data).ok()
    return data


@pytest.fixture
def data(taken: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taken, tmp_path / "data", symlinks=True)


def _rerate(data: Path, *options: object, reason: str = "late usage") -> dict[str, Any]:
    told = octroi("rerate", *(options or OCTOBER), "--reason", reason, "--data", data, "--json").ok()
    balanced(data)
    result: dict[str, Any] = told.json
    return result


def _refused(data: Path, *options: object) -> Told:
    told = octroi("rerate", *options, "--data", data)
    assert (told.code, told.out) == (2, "")
    return told


def _prices(data: Path) -> list[tuple[str, str, str, Decimal]]:
    rows = query(
        data,
        "SELECT id, account, status, toString(amount) AS amount FROM rated_item ORDER BY claim, record",
    )
    return [(row["id"], row["account"], row["status"], Decimal(row["amount"])) for row in rows]


def _balances(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, wallet, toString(balance) AS balance FROM account_balance")
    return {f"{row['account']}/{row['wallet']}": Decimal(row["balance"]) for row in rows}


def test_a_preview_says_what_it_would_do_and_does_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (data / "journal.log").read_bytes()
    one_day = ("--from", "2026-10-04", "--to", "2026-10-05")
    told = octroi("rerate", *one_day, "--preview", "--data", data, "--json").ok().json
    assert (told["after"], told["entry"], told["meant"], told["selected"]) == (2, 0, 1, 3)
    assert (told["changed"], told["replaced"], told["refunds"]) == (2, 3, [])
    assert told["accounts"] == [
        {"account": "ana", "items_changed": 2, "before": "3.000000000", "after": "3.000000000", "difference": "0.000000000",
         "currency": "EUR"}
    ]  # fmt: skip
    monkeypatch.setattr(rerate_deltas, "ACCOUNTS_TOLD_MAX", 0)
    asked = octroi("rerate", *one_day, "--preview", "--data", data, "--csv", tmp_path / "accounts.csv").ok()
    text = asked.out
    assert "every account that changes is in" in asked.err
    assert (tmp_path / "accounts.csv").read_text().splitlines() == [
        "account,items_changed,before,after,difference,currency", "ana,2,3.000000000,3.000000000,0.000000000,EUR",
    ]  # fmt: skip
    assert "1 account, 1 not shown" in text
    assert "Preview at entry 2: nothing is done yet" in text
    assert "1 EDR selected, and 2 more in the counter periods that they touch" in text
    assert (data / "journal.log").read_bytes() == before


def test_free_minutes_move_to_the_calls_that_came_first(data: Path) -> None:
    assert _balances(data) == {"bob/gift": Decimal(0), "bob/credit": Decimal("0.2"), "ana/principal": Decimal(-4)}
    told = _rerate(data)
    assert (told["entry"], told["meant"], told["selected"], told["changed"]) == (3, 6, 6, 5)
    assert (told["replaced"], told["newly_rated"], told["no_longer_rated"]) == (5, 1, 1)
    assert told["unrated_after"] == {"INSUFFICIENT_BALANCE": 1}
    # Bob's long call came first, with credit for all of it; now his short ones do, and it lacks a bit
    assert _prices(data) == [
        ("ri-2-0", "ana", "reversed", Decimal(0)), ("ri-2-1", "ana", "reversed", Decimal(0)),
        ("ri-2-2", "ana", "reversed", Decimal(3)), ("ri-2-3", "ana", "rated", Decimal(1)),
        ("ri-2-4", "bob", "reversed", Decimal("1.2")), ("ri-2-5", "bob", "reversed", Decimal("0.6")),
        ("ri-3-0", "ana", "rated", Decimal(0)), ("ri-3-1", "ana", "rated", Decimal(0)), ("ri-3-2", "ana", "rated", Decimal(3)),
        ("ri-3-3", "bob", "rated", Decimal(0)), ("ri-3-4", "bob", "rated", Decimal(0)),
        *[(f"ri-3-{2**31 + row}", *of) for row, of in enumerate([
            ("ana", "reversal", Decimal(-3)), ("ana", "reversal", Decimal(0)), ("ana", "reversal", Decimal(0)),
            ("bob", "reversal", Decimal("-0.6")), ("bob", "reversal", Decimal("-1.2")),
        ])],
    ]  # fmt: skip
    assert _balances(data) == {"bob/gift": Decimal(1), "bob/credit": Decimal(1), "ana/principal": Decimal(-4)}
    rows = query(
        data, "SELECT claim, record, reason, status, retry_count, source FROM rejection ORDER BY claim, record"
    )
    assert [(row["claim"], row["record"], row["reason"], row["status"], row["source"]) for row in rows] == [
        (2, 6, "INSUFFICIENT_BALANCE", "REPLAYED", "calls"), (3, 5, "INSUFFICIENT_BALANCE", "OPEN", "calls"),
    ]  # fmt: skip
    links = query(data, "SELECT item, reversal, replaced_by, cause FROM reversed_item ORDER BY reversal")
    assert [tuple(row.values()) for row in links] == [
        ("ri-2-2", "ri-3-2147483648", "ri-3-0", "rerated"), ("ri-2-1", "ri-3-2147483649", "ri-3-1", "rerated"),
        ("ri-2-0", "ri-3-2147483650", "ri-3-2", "rerated"), ("ri-2-5", "ri-3-2147483651", "ri-3-3", "rerated"),
        ("ri-2-4", "ri-3-2147483652", "", "rerated"),
    ]  # fmt: skip


def test_rating_again_twice_changes_nothing(data: Path) -> None:
    _rerate(data)
    journal, prices = (data / "journal.log").read_bytes(), _prices(data)
    told = _rerate(data)
    assert (told["entry"], told["changed"], told["replaced"]) == (0, 0, 0)
    assert "nothing changes" in octroi("rerate", *OCTOBER, "--reason", "again", "--data", data).ok().out
    assert ((data / "journal.log").read_bytes(), _prices(data)) == (journal, prices)


def test_another_price_is_charged_and_the_difference_told(data: Path) -> None:
    _rerate(data)
    write_catalog(data, DEARER)
    told = _rerate(data, *OCTOBER, "--account", "ana", reason="wrong price")
    (account,) = told["accounts"]
    # the charge version of all three is another one, the price of one of them
    assert (account["items_changed"], account["before"], account["after"], account["difference"]) == (
        3, "3.000000000", "6.000000000", "3.000000000",
    )  # fmt: skip
    assert _balances(data)["ana/principal"] == Decimal(-7)
    item = next(row for row in _prices(data) if row[3] == 6)
    text = octroi("explain", item[0], "--data", data).ok().out
    assert "as stored" in text
    assert "1.2 per 1 min" in text
    assert "it was rated again" in octroi("explain", f"ri-{told['entry']}-{2**31}", "--data", data).ok().out


def test_an_image_that_was_in_force_can_price(data: Path) -> None:
    (first,) = [row["code"] for row in query(data, "SELECT code FROM dim_image")]
    write_catalog(data, DEARER)
    told = _rerate(data, *OCTOBER, "--account", "ana")
    back = _rerate(data, *OCTOBER, "--account", "ana", "--image", first[:10])
    assert (back["image"], told["totals"][0]["after"], back["totals"][0]["after"]) == (
        first,
        "6.000000000",
        "3.000000000",
    )
    assert "no image that was in force begins with" in _refused(data, *OCTOBER, "--preview", "--image", "x").err


def test_unrated_usage_is_rated_once_it_has_a_price(data: Path, tmp_path: Path) -> None:
    early = write_calls(tmp_path / "early.csv", call(9, 60, at="2025-12-30T12:00:00Z"))
    octroi("ingest", early, "--source", "calls", "--data", data).ok()
    december = ("--from", "2025-12-01", "--to", "2026-01-01")
    assert _rerate(data, *december)["unrated_after"] == {"NO_PRICE_VERSION": 1}
    write_catalog(data, DEARER.replace('start: "2026-01-01', 'start: "2025-12-01'))
    told = _rerate(data, *december)
    assert (told["newly_rated"], told["changed"], told["unrated_after"]) == (1, 1, {})
    assert _rerate(data, *december)["changed"] == 0


def test_periods_that_are_over_are_settled_as_well(data: Path, tmp_path: Path) -> None:
    # six months on: the counters of October are no longer kept
    later = [call(20 + month, 60, at=f"2027-{month:02}-03T12:00:00Z") for month in range(1, 7)]
    octroi("ingest", write_calls(tmp_path / "later.csv", *later), "--source", "calls", "--data", data).ok()
    told = _rerate(data, *OCTOBER, "--account", "ana")
    assert (told["changed"], told["unrated_after"], told["totals"][0]["difference"]) == (2, {}, "0.000000000")
    assert [row[3] for row in _prices(data) if row[0].startswith("ri-4-") and row[2] == "rated"] == [0, 0, 3]
    # and what is counted now goes on where it was
    more = write_calls(tmp_path / "more.csv", call(30, 570, at="2027-06-04T12:00:00Z"))
    octroi("ingest", more, "--source", "calls", "--data", data).ok()
    assert _prices(data)[-1][3] == Decimal("0.3")


def test_a_month_that_begins_late_is_rated_again_to_its_end(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", COUNTED.replace("period: month}", "period: month, first_day: 15}"))
    use = (
        call(1, 600, at="2026-11-12T12:00:00Z"),
        call(2, 600, at="2026-10-16T12:00:00Z"),
        call(3, 60, at="2026-11-15T12:00:00Z"),
    )
    octroi("ingest", write_calls(tmp_path / "calls.csv", *use), "--source", "calls", "--data", data).ok()
    assert [row[3] for row in _prices(data)] == [0, Decimal(6), 0]
    told = _rerate(data, "--from", "2026-10-16", "--to", "2026-10-17")
    # the free minutes move to October, and the call of November pays, which is of the same month
    assert (told["meant"], told["selected"], told["changed"]) == (1, 2, 2)
    assert [row[3] for row in _prices(data) if row[2] == "rated"] == [0, 0, Decimal(6)]
    november = ("--from", "2026-11-01", "--to", "2026-12-01")
    same = octroi("simulate", *november, "--new", "current", "--data", data, "--json").ok().json
    assert Decimal(same["totals"][0]["before"]) == Decimal(6)


def test_what_rolls_over_is_rated_again_from_its_first_period(tmp_path: Path) -> None:
    rolling = COUNTED.replace("period: month}", 'period: month, roll_over: {of: "10 min"}}')
    data = write_catalog(tmp_path / "data", rolling)
    use = [
        call(month, seconds, at=f"2026-{month:02}-05T12:00:00Z") for month, seconds in ((2, 240), (3, 960), (8, 1320))
    ]
    late = call(12, 60, at="2026-07-01T12:00:00Z")  # draws on what is left of June, too late for August
    octroi("ingest", write_calls(tmp_path / "calls.csv", *use, late), "--source", "calls", "--data", data).ok()
    assert [row[3] for row in _prices(data)] == [0, 0, Decimal("1.2"), 0]
    march, august = (("--from", f"2026-0{month}-01", "--to", f"2026-0{month + 1}-01") for month in (3, 8))
    assert (told := _rerate(data, *march))["changed"] == 0
    assert (told["meant"], told["selected"]) == (1, 4)
    same = octroi("simulate", *august, "--new", "current", "--data", data, "--json").ok().json
    assert Decimal(same["totals"][0]["before"]) == Decimal("1.2")
    # four minutes of February are left instead of six, and eight in later months
    write_catalog(data, rolling.replace('up_to: "10 min"', 'up_to: "8 min"').replace('of: "10 min"', 'of: "8 min"'))
    told = octroi("simulate", *march, "--old", "current", "--new", data / "catalog", "--data", data, "--json").ok().json
    assert [Decimal(told["totals"][0][name]) for name in ("before", "after")] == [0, Decimal("2.4")]
    assert _rerate(data, *march)["totals"][0]["after"] == "6.000000000"
    assert [row[3] for row in _prices(data) if row[2] == "rated"] == [0, Decimal("2.4"), 0, Decimal("3.6")]
    more = write_calls(tmp_path / "more.csv", call(30, 600, at="2026-09-04T12:00:00Z"))
    octroi("ingest", more, "--source", "calls", "--data", data).ok()
    assert _prices(data)[-1][3] == Decimal("1.2")


def test_who_shared_a_counter_then_is_rated_again_with_those_who_do_now(tmp_path: Path) -> None:
    shared = COUNTED.replace("unit: min, period: month}", "unit: min, period: month, shared_by: group}")
    both = shared.replace("offer: mobile, access", "offer: mobile, group: home, access")
    data = write_catalog(tmp_path / "data", both)
    first = write_calls(tmp_path / "first.csv", call(1, 600, at="2026-10-02T12:00:00Z"))
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    # Ana moves out: what she used of the ten minutes stays where it was counted, until the month is rated again
    write_catalog(
        data, both.replace("account: ana, offer: mobile, group: home", "account: ana, offer: mobile, group: own")
    )
    second = write_calls(tmp_path / "second.csv", call(2, 120, BOB, at="2026-10-03T12:00:00Z"))
    octroi("ingest", second, "--source", "calls", "--data", data).ok()
    assert [row[3] for row in _prices(data)] == [0, Decimal("1.2")]
    told = _rerate(data, *OCTOBER, "--subscription", "bob")
    assert (told["meant"], told["selected"], told["replaced"]) == (1, 2, 2)
    last = write_calls(
        tmp_path / "last.csv", call(3, 480, BOB, at="2026-10-04T12:00:00Z"), call(4, 60, at="2026-10-04T12:00:00Z")
    )
    octroi("ingest", last, "--source", "calls", "--data", data).ok()
    assert [row[3] for row in _prices(data)][-2:] == [0, Decimal("0.6")]
    assert _rerate(data, *OCTOBER)["changed"] == 0


def test_a_file_can_be_backed_out_after_it(data: Path, tmp_path: Path) -> None:
    _rerate(data)
    told = octroi("files", "back-out", "2", "--reason", "wrong", "--data", data, "--json").ok().json
    assert (told["rated"], told["unrated"]) == (6, 1)
    balanced(data)
    assert _balances(data) == {"bob/gift": Decimal(1), "bob/credit": Decimal(1), "ana/principal": Decimal(0)}
    assert {row["status"] for row in query(data, "SELECT status FROM rejection")} == {"REPLAYED", "CANCELLED"}
    octroi("ingest", write_calls(tmp_path / "calls.csv", *NEW), "--source", "calls", "--data", data).ok()
    assert query(data, "SELECT sum(accepted) AS n FROM record_sheet WHERE claim = 5")[0]["n"] == 7


def test_what_is_unrated_now_can_be_tried_again(data: Path) -> None:
    _rerate(data)
    write_catalog(data, COUNTED.replace('{up_to: "10 min"', '{up_to: "30 min"'))
    told = octroi("rejects", "replay", "--all", "--data", data, "--json").ok().json
    assert told["rated"] == 1
    assert _rerate(data, *OCTOBER, "--account", "bob")["unrated_after"] == {}
    assert query(data, "SELECT count() AS n FROM rejection WHERE status = 'OPEN'")[0]["n"] == 0


def test_selections_and_what_is_refused(data: Path) -> None:
    whole = octroi("rerate", *OCTOBER, "--charge", "voice", "--preview", "--data", data, "--json").ok().json
    for options in (("--offer", "mobile"), ("--price-plan", "voice"), ("--source", "calls")):
        told = octroi("rerate", *OCTOBER, *options, "--preview", "--data", data, "--json").ok().json
        assert told == whole
    told = octroi("rerate", *OCTOBER, "--subscription", "bob", "--preview", "--data", data, "--json").ok().json
    assert (told["meant"], told["accounts_changed"]) == (3, 1)
    nothing = octroi("rerate", "--from", "2025-01-01", "--to", "2025-02-01", "--preview", "--data", data, "--json").ok()
    assert (nothing.json["selected"], nothing.json["changed"]) == (0, 0)
    assert "say why with --reason" in _refused(data, *OCTOBER).err
    assert "is empty" in _refused(data, "--from", "2026-10-02", "--to", "2026-10-02", "--preview").err
    for criterion in ("offer", "charge", "price-plan", "account", "subscription", "source"):
        assert "there is no" in _refused(data, *OCTOBER, f"--{criterion}", "x", "--preview").err
    assert "the log went on from entry 1 to 2" in _refused(data, *OCTOBER, "--reason", "x", "--expect", "1").err
    assert _rerate(data, *OCTOBER, "--expect", "2")["entry"] == 3


def test_what_is_billed_is_refunded_exactly_and_rated_again(data: Path, tmp_path: Path) -> None:
    before = {row["id"]: row for row in query(data, "SELECT id, status, amount FROM rated_item")}
    file = tmp_path / "invoiced.csv"
    file.write_text("item,invoice\nri-2-2,I-1\nri-2-5,I-2\n")
    said = octroi("bill", "mark", file, "--data", data).ok().out
    assert said == "2 rated items on 2 invoices marked as billed by entry 3\n"
    told = octroi("rerate", *OCTOBER, "--preview", "--data", data, "--json").ok().json
    (refunded,) = told["refunds"]
    held = [before["ri-2-2"], before["ri-2-5"]]
    assert (refunded["currency"], refunded["items"]) == ("EUR", 2)
    assert Decimal(refunded["amount"]) == sum(Decimal(row["amount"]) for row in held)
    preview = octroi("rerate", *OCTOBER, "--preview", "--data", data).ok().out
    assert "2 billed items refunded: " in preview
    again = _rerate(data, *OCTOBER)
    assert (again["entry"], again["refunds"]) == (4, told["refunds"])
    after = {row["id"]: row for row in query(data, "SELECT id, status, amount FROM rated_item")}
    assert [after[row["id"]]["status"] for row in held] == ["billed", "billed"]
    undone = {row["item"]: row for row in query(data, "SELECT item, reversal, replaced_by FROM reversed_item")}
    for row in held:
        refund, fresh = after[undone[row["id"]]["reversal"]], after[undone[row["id"]]["replaced_by"]]
        assert (refund["status"], fresh["status"]) == ("refund", "rated")
        assert Decimal(refund["amount"]) == -Decimal(row["amount"])
    # done again, it changes nothing; the next invoice takes refund and new item, and that is rated again likewise
    assert _rerate(data, *OCTOBER)["entry"] == 0
    refund, fresh = undone["ri-2-2"]["reversal"], undone["ri-2-2"]["replaced_by"]
    file.write_text(f"item,invoice\n{refund},I-3\n{fresh},I-3\nri-2-2,I-1\n")
    told = octroi("bill", "mark", file, "--data", data, "--json").ok().json
    assert told == {"billed": 2, "invoices": 1, "already": 1, "entry": 5}
    assert octroi("bill", "mark", file, "--data", data, "--json").ok().json["entry"] == 0
    listed = query(data, "SELECT item, invoice, claim FROM billed_item ORDER BY item")
    assert sorted((row["item"], row["invoice"], row["claim"]) for row in listed) == sorted(
        [("ri-2-2", "I-1", 3), ("ri-2-5", "I-2", 3), (refund, "I-3", 5), (fresh, "I-3", 5)]
    )
    balanced(data)
    rows = query(data, "SELECT * FROM fact_billed ORDER BY claim, record")
    shutil.rmtree(data / "store")
    octroi("run", data).ok()
    assert query(data, "SELECT * FROM fact_billed ORDER BY claim, record") == rows


def test_what_cannot_be_billed_is_refused_whole(data: Path, tmp_path: Path) -> None:
    octroi("rerate", *OCTOBER, "--reason", "wrong price", "--data", data).ok()
    (gone,) = query(data, "SELECT item, reversal FROM reversed_item ORDER BY item LIMIT 1")
    file = tmp_path / "invoiced.csv"
    journal = (data / "journal.log").read_bytes()
    for lines, told in (
        ("ri-2-900,I-1", "ri-2-900 cannot be billed: there is no such rated item"),
        (f"{gone['item']},I-1", "it was taken back"),
        (f"{gone['reversal']},I-1", "takes one back that is on no invoice"),
        ("ri-2,I-1", "is not a rated item id"),
        ("ri-2-1,", "an invoice has a number of 1 to 64 characters"),
        ("ri-2-1,I-1\nri-2-1,I-2", "ri-2-1 is there twice"),
    ):
        file.write_text(f"item,invoice\n{lines}\n")
        refused = octroi("bill", "mark", file, "--data", data)
        assert (refused.code, told in refused.err) == (2, True), refused.err
    file.write_text("item\nri-2-1\n")
    assert "has not just the columns item and invoice" in octroi("bill", "mark", file, "--data", data).err
    assert octroi("bill", "mark", tmp_path / "nowhere.csv", "--data", data).code == 2
    assert (data / "journal.log").read_bytes() == journal


def test_attributes_come_from_the_archive_and_sources_are_kept(tmp_path: Path) -> None:
    zones = COUNTED.replace("unit: s}", "unit: s, attributes: [zone]}").replace(
        "event_type: {constant: voice}", "event_type: {constant: voice}\n  attributes: {zone: zone}"
    )
    other = zones.split("---\n")[1].replace("code: calls", "code: others").replace("[id]", "[id, caller]")
    abroad = """---
kind: price_plan
code: abroad
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "5"}]
---
{kind: charge, code: abroad, event_type: voice, filters: {zone: abroad}, priority: 1, price_plan: abroad}
"""
    plain = f"{zones}---\n{other}"
    data = write_catalog(tmp_path / "data", plain)
    for source, caller in (("calls", ANA), ("others", ANA), ("others", BOB)):
        lines = [f"{caller}-{day},{caller},2026-10-{day:02}T12:00:00Z,60,{'abroad' if day == 3 else 'home'}"
                 for day in (4, 3, 2)]  # fmt: skip
        path = tmp_path / f"{source}-{caller}.csv"
        path.write_text("\n".join(["id,caller,at,seconds,zone", *lines, ""]))
        octroi("ingest", path, "--source", source, "--data", data).ok()
    both = (plain + abroad).replace("charges: [voice]", "charges: [voice, abroad]")
    write_catalog(data, both)
    told = _rerate(data)
    # Bob cannot pay: nothing of his is lost
    assert (told["changed"], told["no_longer_rated"], told["unrated_after"]) == (3, 1, {"INSUFFICIENT_BALANCE": 1})
    assert told["totals"][0]["after"] == "10.000000000"
    rows = query(
        data, "SELECT source, charge, count() AS n FROM rated_item WHERE status = 'rated' GROUP BY ALL ORDER BY ALL"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("calls", "abroad", 1), ("calls", "voice", 2), ("others", "abroad", 1), ("others", "voice", 4),
    ]  # fmt: skip
    assert _rerate(data)["changed"] == 0
    assert STRANGER not in (ANA, BOB)
    # the sources send something else by now: nothing is rated as if it had said nothing
    speech = both.replace("{constant: voice}", "{constant: speech}") + (
        "---\n{kind: event_type, code: speech, unit: s, attributes: [zone]}\n"
    )
    write_catalog(data, speech)
    for command in (("rerate", "--preview"), ("simulate", "--new", "current")):
        told = octroi(*command, *OCTOBER, "--data", data)
        assert (told.code, "cannot be read again as what it was" in told.err) == (4, True)
