"""Levels that usage crosses, through the real commands: told once, stored once, and the same after a replay."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query, running, until

from apps.embedded.layout import DataDirectory
from pipelines.snapshot import StageState, read_latest_snapshot

TOLD = (
    CATALOG.replace(
        'model: flat, per: "1 min", price: "0.60"',
        'model: graduated, per: "1 min", counter: month, tiers: [{up_to: "10 min", price: "0"}, {price: "0.60"}]',
    )
    .replace("charges: [voice]", "charges: [voice], accumulate: [spend, sides]")
    .replace("code: voice, unit: s}", "code: voice, unit: s, attributes: [side]}")
    .replace("  event_type: {constant: voice}", "  event_type: {constant: voice}\n  attributes: {side: caller}")
    .replace(
        "{kind: account, code: bob, currency: EUR}",
        "kind: account\ncode: bob\ncurrency: EUR\nwallets: [{code: gift, type: prepaid, opening_balance: '1', "
        "notify_below: ['0.5', '0']}, {code: bill, type: postpaid}]",
    )
    + """---
{kind: counter, code: month, unit: min, period: month, zone: Europe/Paris, notify: ["80 %", "100 %"]}
---
{kind: counter, code: spend, unit: EUR, function: amount, period: month, shared_by: account, notify: ["3 EUR"]}
---
{kind: counter, code: sides, unit: s, period: month, by: side, values: ["33600000001"]}
"""
)
"""Ten minutes a month are free; then a second costs one cent. Ana's seconds and those of others are counted apart."""
USAGE = (
    call(1, 300, at="2026-10-05T12:00:00Z"),
    call(2, 180, at="2026-10-06T12:00:00Z"),
    call(3, 500, at="2026-10-07T12:00:00Z"),
    call(4, 600, BOB, at="2026-10-05T12:00:00Z"),
    call(5, 120, BOB, at="2026-10-06T12:00:00Z"),
)
EXPECTED = [
    ("nt-2-1-0", "ana/month", "80 %", "8", "5", "8"),
    ("nt-2-2-0", "ana/month", "100 %", "10", "8", "16.333333333333"),
    ("nt-2-2-1", "account/ana/spend", "3 EUR", "3", "0", "3.8"),
    ("nt-2-3-0", "bob/month", "80 %", "8", "0", "10"),
    ("nt-2-3-1", "bob/month", "100 %", "10", "0", "10"),
    ("nt-2-4-0", "gift", "", "0.5", "1", "0"),
    ("nt-2-4-1", "gift", "", "0", "1", "0"),
]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("notified")
    data = write_catalog(directory / "data", TOLD)
    octroi("ingest", write_calls(directory / "calls.csv", *USAGE), "--source", "calls", "--data", data).ok()
    return data


@pytest.fixture
def data(taken: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taken, tmp_path / "data", symlinks=True)


def _listed(data: Path, *options: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = octroi("notifications", "list", *options, "--data", data, "--json").ok().json
    return rows


def _told(data: Path, *options: object) -> list[tuple[str, ...]]:
    return [
        (row["id"], row["wallet"] or f"{row['holder']}/{row['counter']}", row["written"],
         *(format(Decimal(row[name]).normalize(), "f") for name in ("level", "before", "after")))
        for row in _listed(data, *options)
    ]  # fmt: skip


def _state(data: Path) -> StageState:
    state = read_latest_snapshot(DataDirectory(data).snapshots, print)
    assert state is not None
    return state


def _accumulated(data: Path) -> dict[str, int]:
    state = _state(data)
    names = state.vocabulary.accumulators.names.to_list()
    return {name: sum(state.account.accumulator(slot, cell) for cell in range(4)) for slot, name in enumerate(names)}


def _spent(data: Path) -> dict[str, int]:
    return {name: value for name, value in _accumulated(data).items() if "/spend" in name}


def _seconds(data: Path) -> dict[str, int]:
    return {name: value // 1000 for name, value in _accumulated(data).items() if "/sides" in name and value}


def test_what_was_crossed_is_listed_with_its_values(data: Path) -> None:
    assert _told(data) == EXPECTED
    first = _listed(data, "--limit", 1)[0]
    assert (first["id"], first["subscription"], first["unit"], first["period"]) == ("nt-2-4-1", "bob", "EUR", "")
    assert {row["period"] for row in _listed(data, "--counter", "month")} == {"2026-10"}
    assert {row["zone"] for row in _listed(data, "--counter", "month")} == {"Europe/Paris"}
    assert [told[0] for told in _told(data, "--account", "bob", "--wallet", "gift")] == ["nt-2-4-0", "nt-2-4-1"]
    assert _told(data, "--since", "2200-01-01") == [] == _told(data, "--until", "2000-01-01")
    told = octroi("notifications", "list", "--since", "2000-01-01", "--subscription", "ana", "--data", data).ok().out
    assert "3 notifications" in told
    assert "account/ana/spend" in told
    assert octroi("notifications", "list", "--since", "yesterday", "--data", data).code == 2
    assert _spent(data) == {"account/ana/spend#EUR": 3_800_000_000, "account/bob/spend#EUR": 1_200_000_000}
    assert _seconds(data) == {f"ana/sides={ANA}": 980, "bob/sides=*": 720}
    balanced(data)


def test_a_replay_tells_the_same(data: Path) -> None:
    rows = query(data, "SELECT * FROM fact_notification ORDER BY claim, record, part")
    checksum = _state(data).account.checksum()
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert query(data, "SELECT * FROM fact_notification ORDER BY claim, record, part") == rows
    assert _state(data).account.checksum() == checksum
    balanced(data)


def test_usage_that_is_taken_back_may_cross_again(data: Path, tmp_path: Path) -> None:
    octroi("files", "back-out", "calls.csv", "--reason", "sent by mistake", "--data", data).ok()
    assert _told(data) == EXPECTED
    assert set(_accumulated(data).values()) == {0}
    octroi("ingest", write_calls(tmp_path / "again.csv", *USAGE), "--source", "calls", "--data", data).ok()
    again = [("nt-4" + one[0].removeprefix("nt-2"), *one[1:]) for one in EXPECTED]
    assert _told(data) == EXPECTED + again
    balanced(data)


def test_rating_again_tells_of_what_was_not_reached_before(data: Path, tmp_path: Path) -> None:
    octroi("ingest", write_calls(tmp_path / "late.csv", call(9, 60, at="2026-10-01T12:00:00Z")), "--source", "calls",
           "--data", data).ok()  # fmt: skip
    assert _told(data) == EXPECTED  # 17 minutes and 20 seconds: both levels were reached before
    october = ("--from", "2026-10-01", "--to", "2026-11-01", "--data", data)
    # in the order of events other items cross, but nothing is reached that was not
    octroi("rerate", *october, "--reason", "late usage").ok()
    assert _told(data) == EXPECTED
    dearer = TOLD.replace('{price: "0.60"}', '{price: "1.20"}')
    dearer = dearer.replace('notify: ["3 EUR"]', 'notify: ["3 EUR", "6 EUR", "900 EUR"]')
    dearer = dearer.replace('values: ["33600000001"]', 'values: ["33600000002"]')
    write_catalog(data, dearer)
    octroi("run", data).ok()
    octroi("rerate", *october, "--reason", "another price", "--preview").ok()
    assert _told(data) == EXPECTED
    octroi("rerate", *october, "--reason", "another price").ok()
    assert [told[1:] for told in _told(data)[len(EXPECTED) :]] == [("account/ana/spend", "6 EUR", "6", "0", "8.8")]
    assert _spent(data) == {"account/ana/spend#EUR": 8_800_000_000, "account/bob/spend#EUR": 2_400_000_000}
    # what Ana called was taken off where it was counted, and counts among others now
    assert _seconds(data) == {"ana/sides=*": 1040, f"bob/sides={BOB}": 720}
    balanced(data)


def test_late_usage_is_told_of_in_its_own_period(data: Path, tmp_path: Path) -> None:
    late = write_calls(tmp_path / "late.csv", call(9, 540, at="2026-09-30T21:00:00Z"))
    octroi("ingest", late, "--source", "calls", "--data", data).ok()
    (told,) = _listed(data)[len(EXPECTED) :]
    assert (told["counter"], told["period"], told["written"]) == ("month", "2026-09", "80 %")


def test_what_only_looks_tells_nothing(data: Path, tmp_path: Path) -> None:
    more = write_calls(tmp_path / "more.csv", call(9, 900, at="2026-11-05T12:00:00Z"))
    octroi("ingest", more, "--source", "calls", "--data", data, "--dry-run").ok()
    octroi("simulate", "--from", "2026-10-01", "--to", "2026-11-01", "--new", data / "catalog", "--data", data).ok()
    assert _told(data) == EXPECTED


def test_who_follows_is_told_in_words(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", TOLD)
    with running("run", data, "--follow") as owner:
        until((data / "spool" / "calls").is_dir, "the spool")
        file = write_calls(tmp_path / "calls.csv", *USAGE)
        file.rename(data / "spool" / "calls" / "calls.csv")
        until(lambda: not list((data / "spool" / "calls").iterdir()), "the file to be taken")
        owner.terminate()
        _, told = owner.communicate(timeout=120)
    assert "counter ana/month (2026-10) rose to 8 min, past 80 %, 8 min" in told
    assert "counter account/ana/spend (2026-10) rose to 3.8 EUR, past 3 EUR" in told
    assert "wallet bob/gift fell to 0 EUR, past 0.5 EUR" in told
