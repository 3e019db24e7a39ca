"""Usage that triggers other usage, from the file to the store and back: rated, explained, taken back and rated again as one."""

from __future__ import annotations

import csv
import io
import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, CATALOG, NOON, write_catalog
from cli_octroi import balanced, octroi, query

from apps.embedded.layout import DataDirectory
from pipelines.snapshot import read_latest_snapshot

TRIGGERS = (
    CATALOG.replace("code: voice, unit: s}", "code: voice, unit: s, attributes: [zone]}")
    .replace("  event_type: {constant: voice}", "  event_type: {constant: voice}\n  attributes: {zone: zone}")
    .replace(
        "{kind: charge, code: voice, event_type: voice, price_plan: voice}",
        """\
kind: charge
code: voice
event_type: voice
price_plan: voice
triggers:
  - {event_type: levy, when: "zone == 'abroad' || zone == 'sea'", quantity: "1", attributes: {where: zone}}
  - {event_type: share, quantity: "charged", subscription: partner}
---
{kind: event_type, code: levy, unit: event, attributes: [where]}
---
{kind: unit, code: eur, decimals: 6}
---
{kind: event_type, code: share, unit: eur}
---
{kind: counter, code: levies, unit: event, period: month, ceiling: 4 event}
---
{kind: counter, code: places, unit: event, period: month, by: where, values: [abroad, sea]}
---
kind: price_plan
code: levy
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: formula, formula: "where == 'sea' ? 2.0 : 0.5", counter: levies}]
---
kind: price_plan
code: share
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 eur, price: "0.25"}]
---
{kind: charge, code: levy, event_type: levy, price_plan: levy, accumulate: [places]}
---
{kind: charge, code: share, event_type: share, price_plan: share}
---
{kind: offer, code: wholesale, charges: [share]}
---
kind: account
code: carrier
currency: EUR
wallets: [{code: deposit, type: prepaid, opening_balance: "1"}]
---
{kind: subscription, code: partner, account: carrier, offer: wholesale}""",
    )
    .replace("charges: [voice]", "charges: [voice, levy]")
)
"""A cent a second; half an euro a call abroad, two at sea, for four of them a month; a quarter of what is charged from a partner."""
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")
START = {"ana/principal": Decimal(0), "bob/principal": Decimal(0), "carrier/deposit": Decimal(1)}


def _call(identity: int, seconds: int, zone: str = "", caller: str = ANA, at: str = NOON) -> str:
    return f"{identity},{caller},{at},{seconds},{zone}"


def _ingest(data: Path, name: str, *lines: str) -> None:
    file = data.parent / name
    file.write_text("\n".join(["id,caller,at,seconds,zone", *lines, ""]))
    octroi("ingest", file, "--source", "calls", "--data", data).ok()


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls of Ana and Bob, of which the last one costs the partner more than there is."""
    data = write_catalog(tmp_path_factory.mktemp("triggers") / "data", TRIGGERS)
    _ingest(data, "1.csv", _call(1, 100, "abroad"), _call(2, 60), _call(3, 40, "sea", BOB))
    _ingest(data, "2.csv", _call(4, 20, "abroad", at="2026-10-04T12:00:00Z"), _call(5, 500, "abroad", BOB))
    return data


@pytest.fixture
def data(taken: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taken, tmp_path / "data", symlinks=True)


def _items(data: Path, where: str = "status = 'rated'") -> list[tuple[str, str, str, str, Decimal]]:
    sql = f"SELECT id, subscription, charge, triggered_by, toString(amount) AS amount FROM rated_item WHERE {where}"
    rows = query(data, f"{sql} ORDER BY claim, record, branch, item")
    return [
        (row["id"], row["subscription"], row["charge"], row["triggered_by"], Decimal(row["amount"])) for row in rows
    ]


def _money(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, wallet, toString(balance) AS balance FROM account_balance")
    return {f"{row['account']}/{row['wallet']}": Decimal(row["balance"]) for row in rows}


def _places(data: Path) -> dict[str, int]:
    state = read_latest_snapshot(DataDirectory(data).snapshots, print)
    assert state is not None
    names = state.vocabulary.accumulators.names.to_list()
    found = {name: sum(state.account.accumulator(slot, cell) for cell in range(4)) for slot, name in enumerate(names)}
    return {name: value for name, value in found.items() if value}


def test_what_is_triggered_is_stored_behind_what_triggered_it(taken: Path) -> None:
    assert _items(taken) == [
        ("ri-2-0", "ana", "voice", "", Decimal("1")),
        ("ri-2-0.1", "ana", "levy", "ri-2-0", Decimal("0.5")),
        ("ri-2-0.2", "partner", "share", "ri-2-0", Decimal("0.25")),
        ("ri-2-1", "ana", "voice", "", Decimal("0.6")),
        ("ri-2-1.1", "partner", "share", "ri-2-1", Decimal("0.15")),
        ("ri-2-2", "bob", "voice", "", Decimal("0.4")),
        ("ri-2-2.1", "bob", "levy", "ri-2-2", Decimal("2")),
        ("ri-2-2.2", "partner", "share", "ri-2-2", Decimal("0.1")),
        ("ri-3-0", "ana", "voice", "", Decimal("0.2")),
        ("ri-3-0.1", "ana", "levy", "ri-3-0", Decimal("0.5")),
        ("ri-3-0.2", "partner", "share", "ri-3-0", Decimal("0.05")),
    ]
    assert _money(taken) == {
        "ana/principal": Decimal("-2.8"),
        "bob/principal": Decimal("-2.4"),
        "carrier/deposit": Decimal("0.45"),
    }
    edrs = query(taken, "SELECT id, subscription, quantity_steps FROM edr ORDER BY claim, record")
    assert [(row["id"], row["subscription"], row["quantity_steps"] // 1000) for row in edrs] == [
        ("edr-2-0", "ana", 100),
        ("edr-2-1", "ana", 60),
        ("edr-2-2", "bob", 40),
        ("edr-3-0", "ana", 20),
    ]
    (sheet,) = query(taken, "SELECT sum(edrs) AS edrs, sum(rated) AS rated, sum(unrated) AS unrated FROM edr_sheet")
    assert (sheet["edrs"], sheet["rated"], sheet["unrated"]) == (5, 4, 1)
    (unrated,) = query(taken, "SELECT reason, detail FROM rejection")
    assert unrated["reason"] == "INSUFFICIENT_BALANCE"
    assert unrated["detail"].startswith("share of partner, which it triggers: ")
    assert _places(taken) == {"ana/places=abroad": 2, "bob/places=sea": 1}
    balanced(taken)


def test_triggered_items_tell_how_they_came_about(taken: Path) -> None:
    told = octroi("explain", "ri-2-2.1", "--data", taken).ok().out
    assert "ri-2-2 triggers levy: charge voice when zone == 'abroad' || zone == 'sea', as much as 1" in told
    assert "where == 'sea' ? 2.0 : 0.5" in told
    told = octroi("explain", "ri-2-0.2", "--data", taken).ok().out
    assert "ri-2-0 triggers share of subscription partner: charge voice, as much as charged" in told
    for item in ("ri-2-0", "ri-2-0.1", "ri-2-0.2", "ri-2-2.1", "ri-3-0.1"):
        found = octroi("explain", item, "--data", taken, "--json").ok().json
        assert (found["agrees"], len(found["triggers"])) == (True, int("." in item))


def test_a_file_that_is_backed_out_takes_all_it_triggered_with_it(data: Path) -> None:
    octroi("files", "back-out", "1.csv", "--reason", "wrong", "--data", data).ok()
    balanced(data)
    assert [item for item, *_ in _items(data)] == ["ri-3-0", "ri-3-0.1", "ri-3-0.2"]
    taken_back = _items(data, "status = 'reversal'")
    assert [(charge, by, amount) for _, _, charge, by, amount in taken_back[:3]] == [
        ("voice", "", Decimal("-1")),
        ("levy", taken_back[0][0], Decimal("-0.5")),
        ("share", taken_back[0][0], Decimal("-0.25")),
    ]
    assert _places(data) == {"ana/places=abroad": 1}
    octroi("files", "back-out", "2.csv", "--reason", "wrong", "--data", data).ok()
    assert _money(data) == START
    assert _places(data) == {}
    told = octroi("explain", taken_back[1][0], "--data", data).ok().out
    assert "takes ri-2-0.1 back" in told


def test_rating_again_follows_trees(data: Path) -> None:
    again = ("rerate", *OCTOBER, "--data", data, "--json", "--reason", "price")
    same = octroi(*again, "--preview").ok().json
    # of what happened before, Bob's long call still finds too little
    assert (same["selected"], same["changed"]) == (5, 0)
    dearer = TRIGGERS.replace('per: 1 eur, price: "0.25"', 'per: 1 eur, price: "0.50"')
    (data / "catalog" / "catalog.yaml").write_text(dearer)
    # the partner's usage is that of those who call
    told = octroi(*again, "--account", "carrier").ok().json
    assert (told["selected"], told["replaced"], told["no_longer_rated"]) == (4, 4, 1)
    found = {row["account"]: (row["before"], row["after"]) for row in told["accounts"]}
    balanced(data)
    assert found["carrier"] == ("0.550000000", "0.600000000")
    assert [amount for _, _, charge, _, amount in _items(data) if charge == "share"] == [
        Decimal("0.1"),
        Decimal("0.2"),
        Decimal("0.3"),
    ]
    # without levies, and with one share of all
    (data / "catalog" / "catalog.yaml").write_text(TRIGGERS.replace("zone == 'abroad' || zone == 'sea'", "zone == 'x'"))
    octroi(*again, "--charge", "levy").ok()
    octroi(*again).ok()
    balanced(data)
    assert [charge for _, _, charge, _, _ in _items(data)] == ["voice", "share"] * 4
    assert _places(data) == {}
    assert octroi(*again, "--preview").ok().json["changed"] == 0


def test_counters_of_those_who_are_triggered_are_counted_in_the_order_of_events(data: Path) -> None:
    tiers = TRIGGERS.replace(
        'model: flat, per: 1 eur, price: "0.25"',
        'model: graduated, per: 1 eur, counter: shared, tiers: [{up_to: 1 eur, price: "0.1"}, {price: "0.2"}]',
    )
    tiers += "---\n{kind: counter, code: shared, unit: eur, period: month}\n"
    (data / "catalog" / "catalog.yaml").write_text(tiers)
    again = ("rerate", *OCTOBER, "--data", data, "--json", "--reason", "tiers")
    octroi(*again, "--subscription", "ana").ok()  # Bob's usage counts on the partner's counter as well
    balanced(data)
    rows = query(
        data,
        "SELECT subscription, toString(sum(amount)) AS amount FROM rated_item GROUP BY subscription ORDER BY subscription",
    )
    assert {row["subscription"]: Decimal(row["amount"]) for row in rows}["partner"] == Decimal("0.34")
    _ingest(data, "3.csv", _call(6, 100, at="2026-10-01T12:00:00Z"))
    octroi(*again, "--subscription", "bob").ok()
    assert octroi(*again, "--preview").ok().json["changed"] == 0
    balanced(data)
    before = query(data, "SELECT toString(counter_before) AS n FROM rated_item WHERE charge = 'share' AND status = 'rated' "
                         "ORDER BY event_at, toDecimal128(n, 3)")  # fmt: skip
    assert [Decimal(row["n"]) for row in before] == [Decimal(each) for each in ("0", "1", "1.2", "1.6", "2.2")]


def test_unrated_trees_are_rated_whole_when_they_are_tried_again(data: Path) -> None:
    (data / "catalog" / "catalog.yaml").write_text(TRIGGERS.replace('opening_balance: "1"', 'opening_balance: "9"'))
    octroi("wallet", "top-up", "carrier", "-w", "deposit", "-n", "9 EUR", "--id", "more", "--data", data).ok()
    octroi("rejects", "replay", "--all", "--data", data).ok()
    assert [(charge, amount) for _, _, charge, _, amount in _items(data, "claim > 3 AND status = 'rated'")] == [
        ("voice", Decimal(5)),
        ("levy", Decimal("0.5")),
        ("share", Decimal("1.25")),
    ]
    balanced(data)


def test_newer_records_take_the_place_of_whole_trees(tmp_path: Path) -> None:
    catalog = TRIGGERS.replace("format: delimited", "format: delimited\non_same_key: supersede")
    data = write_catalog(tmp_path / "data", catalog)
    _ingest(data, "1.csv", _call(1, 100, "abroad"))
    _ingest(data, "2.csv", _call(1, 40))
    assert [(charge, amount) for _, _, charge, _, amount in _items(data)] == [
        ("voice", Decimal("0.4")),
        ("share", Decimal("0.1")),
    ]
    assert _places(data) == {}
    balanced(data)


def test_it_is_not_charged_online(data: Path) -> None:
    asked = data.parent / "asked.jsonl"
    usage = {"access_point": ANA, "event_type": "voice", "quantity": "60 s"}
    requests: list[dict[str, Any]] = [{"kind": "reserve", "id": "r", **usage}, {"kind": "charge", "id": "c", **usage}]
    asked.write_text("".join(json.dumps(request) + "\n" for request in requests))
    answers = [json.loads(line) for line in octroi("charge", "send", asked, "--data", data).out.splitlines()]
    assert [answer["code"] for answer in answers] == ["RATING_FAILED"] * 2
    assert "NOT_CHARGED_ONLINE" in json.dumps(answers[0])
    balanced(data)


def test_simulation_and_virtual_rating_follow_trees(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "catalog.yaml").write_text(TRIGGERS.replace('per: 1 eur, price: "0.25"', 'per: 1 eur, price: "0.50"'))
    dry = octroi("simulate", *OCTOBER, "--old", "current", "--new", other, "--data", data, "--json").ok().json
    # wallets can always pay in a simulation: 7.2 euros are charged of five calls
    assert (dry["edrs"], [line["difference"] for line in dry["totals"]]) == (5, ["1.800000000"])
    of_carrier = ("--account", "carrier", "--data", data, "--json")
    dry = octroi("simulate", *OCTOBER, "--old", "current", "--new", other, *of_carrier).ok().json
    assert (dry["edrs"], dry["totals"][0]["before"], dry["totals"][0]["after"]) == (5, "1.800000000", "3.600000000")
    usage = tmp_path / "usage.csv"
    usage.write_text(
        f"timestamp,access_point,quantity,unit,event_type,zone\n{NOON},{ANA},100,s,voice,abroad\n{NOON},{ANA},500,s,voice,\n"
    )
    told = octroi("rate", "--catalog", other, "--usage", usage, "--out", "csv", "--check").ok().out
    rows = list(csv.DictReader(io.StringIO(told)))
    assert [(row["charge"], row["subscription"], row["triggered_by"]) for row in rows if row["status"] == "rated"] == [
        ("voice", "ana", ""),
        ("levy", "ana", "voice"),
        ("share", "partner", "voice"),
    ]
    (refused,) = [row for row in rows if row["status"] == "refused"]
    assert refused["reason"] == "INSUFFICIENT_BALANCE"
    assert "share of partner, which it triggers" in refused["detail"]
