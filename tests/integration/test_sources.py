"""`octroi sources list|show|test`: what a source is, and what it makes of a file. Expected values are computed by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_calls import ANA, BOB, CATALOG, NOON, STRANGER, call, write_calls, write_catalog
from cli_octroi import octroi
from cli_sources import EVENTS, shown, try_file

from billing.catalog.store import load_catalog
from tests.integration.expected_samples import write_sample_catalog


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a catalog only."""
    return write_catalog(tmp_path / "data", EVENTS)


# ---- list and show


def test_the_list_says_where_and_what_each_source_is(data: Path) -> None:
    told = octroi("sources", "list", "--data", data, "--json").ok().json
    file = (data / "catalog" / "catalog.yaml").as_posix()
    lines = EVENTS.splitlines()
    assert told == [
        {
            "code": code,
            "format": form,
            "event_types": types,
            "identity": identity,
            "access_point": access_point,
            "on_same_key": on_same_key,
            "place": f"{file}:{lines.index(f'code: {code}')}",  # of the line before it, counted from one
        }
        for code, form, types, identity, access_point, on_same_key in (
            ("calls", "delimited", ["voice"], ["id"], "caller", "conflict"),
            ("events", "cloudevents", ["traffic"], ["source", "id"], "subject", "duplicate"),
        )
    ]
    table = octroi("sources", "list", "--data", data).ok().out
    assert [line.split()[:2] for line in table.splitlines() if file in line] == [
        ["calls", "delimited"],
        ["events", "cloudevents"],
    ]


@pytest.mark.parametrize("code", ["calls", "events", "r151"])
def test_a_definition_that_is_shown_can_be_loaded_again(tmp_path: Path, code: str) -> None:
    data = write_catalog(tmp_path / "data", EVENTS)
    if code == "r151":
        write_sample_catalog("r151", data / "catalog")
        (data / "catalog" / "catalog.yaml").rename(data / "catalog" / "meters.yaml")
    text = octroi("sources", "show", code, "--data", data).ok().out
    first = load_catalog(data / "catalog")
    second = tmp_path / "again"
    for file in (data / "catalog").iterdir():
        other = (part for part in file.read_text().split("---\n") if f"code: {code}\nformat" not in part)
        write_catalog(second, "")
        (second / "catalog" / file.name).write_text("---\n".join(other))
    (second / "catalog" / "shown.yaml").write_text(text)
    assert load_catalog(second / "catalog").sources[code] == first.sources[code]


def test_the_words_say_what_the_decoder_will_do(data: Path) -> None:
    told = octroi("sources", "show", "events", "--data", data, "--json").ok().json
    words = {item["what"]: item["how"] for item in told["words"]}
    assert words == {
        "format": 'cloudevents, layout "auto"',
        "identity": "source and id; a known identity with another content is dropped as a duplicate",
        "access point": "subject",
        "time": "time, ms since 1970-01-01T00:00:00Z",
        "event type": "type: 'up' is traffic, 'down' is traffic; other values are rejected (UNKNOWN_EVENT_TYPE)",
        "quantity of traffic": "data.used in kB, kept in MB, 1000 steps to 1 kB; what is finer is rounded half up",
        "attribute network": "data.network",
        "attribute device": "data.device",
        "filter": "leaves out records whose data.billed is 'no' or 'never'",
        "longest record": "1048576 bytes; longer ones are rejected (RECORD_TOO_LONG)",
    }
    assert told["definition"]["mapping"]["time"] == {"field": "time", "format": "epoch_ms"}
    assert told["definition"]["record_bytes_max"] == 1_048_576
    out = octroi("sources", "show", "calls", "--data", data).ok().out
    assert "at, iso; without an offset it is rejected (TIMESTAMP_WITHOUT_ZONE)" in out


@pytest.mark.parametrize("arguments", [("show", "nowhere"), ("test", "calls.csv", "--source", "nowhere")])
def test_an_unknown_source_is_wrong_usage(data: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write_calls(tmp_path / "calls.csv", call(1))
    words = [str(tmp_path / word) if word == "calls.csv" else word for word in arguments]
    told = octroi("sources", *words, "--data", data)
    assert (told.code, told.out) == (2, "")
    assert told.err == "octroi: the catalog defines no source 'nowhere'; it has calls, events\n"


@pytest.mark.parametrize("arguments", [("list",), ("show", "calls"), ("test", "calls.csv", "--source", "calls")])
def test_without_a_catalog_nothing_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    told = octroi("sources", *arguments, "--data", tmp_path)
    assert (told.code, told.out, "no directory catalog/" in told.err) == (3, "", True)


def test_a_file_that_is_not_there_is_told(data: Path, tmp_path: Path) -> None:
    told = shown(data, tmp_path / "gone.csv")
    assert (told.code, "cannot take" in told.err) == (4, True)


# ---- test: delimited text


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Eight lines: two calls, one of them again, a stranger, the first with another content, three that cannot be read."""
    lines = (
        call(1, 90),
        call(2, 30, BOB, "2026-10-05T14:00:00+02:00"),
        call(1, 90),
        call(3, 60, STRANGER, "2026-10-04T00:00:00Z"),
        call(1, 91),
        call(5, 60, at="2026-10-05 12:00:00"),
        call(6, "many"),
        "7,too,few",
    )
    return write_calls(tmp_path / "mixed.csv", *lines)


def test_each_record_is_shown_from_its_bytes_to_its_price(data: Path, mixed: Path) -> None:
    told = try_file(data, mixed)
    assert (told["source"], told["format"], told["file"]) == ("calls", "delimited", "mixed.csv")
    first, second, again, stranger, other = told["records"]
    key = first["cdr"].pop("identity_key")
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert first == {
        "record": 0,
        "raw": {"text": f"1,{ANA},{NOON},90", "bytes": len(f"1,{ANA},{NOON},90"), "truncated": False},
        "fields": {"id": "1", "caller": ANA, "at": NOON, "seconds": "90"},
        "cdr": {
            "event_at": NOON,
            "quantity_steps": 90_000,
            "quantity": "90",
            "unit": "s",
            "is_reading": False,
            "event_type": "voice",
            "access_point": ANA,
            "attributes": {},
        },
        "outcome": "accepted",
        "reason": None,
        "detail": None,
        "edr": {
            "subscription": "ana",
            "account": "ana",
            "event_at": NOON,
            "span_s": 0,
            "quantity_steps": 90_000,
            "quantity": "90",
            "unit": "s",
        },
        "rated": {
            "charge": "voice",
            "price_plan": "voice",
            "rated_quantity": "90",
            "amount": "0.900000000",
            "currency": "EUR",
        },
    }
    assert second["cdr"]["event_at"] == NOON  # 14:00 at +02:00
    assert again["cdr"]["identity_key"] == other["cdr"]["identity_key"] == key
    assert [(r["outcome"], r["reason"]) for r in (again, stranger, other)] == [
        ("duplicate", "DUPLICATE"),
        ("rejected", "UNKNOWN_ACCESS_POINT"),
        ("rejected", "SAME_KEY_OTHER_CONTENT"),
    ]
    assert (stranger["edr"], stranger["rated"]) == (None, None)


def test_the_profile_counts_the_whole_file(data: Path, mixed: Path) -> None:
    profile = try_file(data, mixed, "calls", "--records", 0)["profile"]
    assert profile == {
        "bytes": mixed.stat().st_size,
        "records": 8,
        "outcomes": {
            "accepted": 2,
            "absorbed": 0,
            "duplicate": 1,
            "superseded": 0,
            "filtered": 0,
            "rejected": 5,
            "parked": 0,
        },
        "reasons": [
            {"reason": reason, "outcome": outcome, "records": 1, "first_record": record}
            for reason, outcome, record in (
                ("FIELD_COUNT", "rejected", 7),
                ("TIMESTAMP_WITHOUT_ZONE", "rejected", 5),
                ("INVALID_QUANTITY", "rejected", 6),
                ("DUPLICATE", "duplicate", 2),
                ("SAME_KEY_OTHER_CONTENT", "rejected", 4),
                ("UNKNOWN_ACCESS_POINT", "rejected", 3),
            )
        ],
        "first_event_at": "2026-10-04T00:00:00Z",
        "last_event_at": NOON,
        "event_types": [
            {
                "event_type": "voice",
                "records": 5,
                "readings": 0,
                "quantity_steps": (90 + 30 + 90 + 60 + 91) * 1000,
                "quantity": "361",
                "unit": "s",
                "edrs": 2,
                "edr_quantity_steps": 120_000,
                "edr_quantity": "120",
            }
        ],
        "access_points": {"distinct": 3, "exact": True, "unknown": 1, "unknown_percent": "33.33"},
        "edrs": 2,
        "rated": 2,
        "unrated": 0,
        "amounts": {"EUR": "1.200000000"},
    }


def test_a_bad_record_says_how_far_it_was_read(data: Path, mixed: Path) -> None:
    zoneless, many, few = try_file(data, mixed, "calls", "-n", 8)["records"][5:]
    assert (few["fields"], few["cdr"], few["reason"]) == ({}, None, "FIELD_COUNT")
    assert few["detail"] == "3 fields instead of 4"
    assert (zoneless["cdr"]["event_at"], zoneless["cdr"]["quantity"]) == (None, None)
    assert (zoneless["cdr"]["event_type"], zoneless["cdr"]["access_point"]) == ("voice", ANA)
    assert zoneless["detail"] == "at is '2026-10-05 12:00:00'"
    assert (many["cdr"]["event_at"], many["cdr"]["quantity_steps"], many["detail"]) == (NOON, None, "seconds is 'many'")


def test_people_see_the_same(data: Path, mixed: Path) -> None:
    out = shown(data, mixed, "calls", "-n", 6).ok().out
    assert f"  raw      1,{ANA},{NOON},90\n" in out
    assert f"  decoded  id '1', caller '{ANA}', at '{NOON}', seconds '90'\n" in out
    assert f"  CDR      {NOON}, 90 s (90,000 steps), voice, access point {ANA}, key " in out
    assert (
        "  result   accepted, 90 s of subscription ana, account ana; 0.9 EUR by charge voice, price plan voice\n" in out
    )
    assert "  result   rejected: TIMESTAMP_WITHOUT_ZONE: at is '2026-10-05 12:00:00'\n" in out
    assert "… and 2 more records" in out
    assert "3 access points, 1 unknown (33.33 %)" in out
    assert ["FIELD_COUNT", "rejected", "1", "7"] in [line.split() for line in out.splitlines()]
    assert ["voice", "5", "361", "2", "120", "s"] in [line.split() for line in out.splitlines()]


def test_usage_that_cannot_be_paid_is_accepted_and_unrated(tmp_path: Path) -> None:
    poor = '{kind: account, code: ana, currency: EUR, wallets: [{code: cash, type: prepaid, opening_balance: "1"}]}'
    data = write_catalog(tmp_path / "data", CATALOG.replace("{kind: account, code: ana, currency: EUR}", poor))
    file = write_calls(tmp_path / "calls.csv", call(1, 60), call(2, 60))
    told = try_file(data, file)
    paid, unpaid = told["records"]
    assert (paid["rated"]["amount"], unpaid["rated"]) == ("0.600000000", None)
    assert (unpaid["outcome"], unpaid["reason"], unpaid["edr"]["quantity"]) == (
        "accepted",
        "INSUFFICIENT_BALANCE",
        "60",
    )
    assert told["profile"]["reasons"] == [
        {"reason": "INSUFFICIENT_BALANCE", "outcome": "unrated", "records": 1, "first_record": 1}
    ]
    assert "accepted, 60 s of subscription ana, account ana; not rated: INSUFFICIENT" in shown(data, file).ok().out


def test_nothing_is_kept_and_what_is_known_is_known(data: Path, tmp_path: Path) -> None:
    file = write_calls(tmp_path / "calls.csv", call(1), call(2))
    before = sorted(path.name for path in data.rglob("*"))
    assert try_file(data, file)["profile"]["outcomes"]["accepted"] == 2
    assert sorted(path.name for path in data.rglob("*")) == before
    octroi("ingest", write_calls(tmp_path / "one.csv", call(1)), "--source", "calls", "--data", data).ok()
    journal = (data / "journal.log").read_bytes()
    outcomes = try_file(data, file)["profile"]["outcomes"]
    assert (outcomes["accepted"], outcomes["duplicate"]) == (1, 1)
    assert (data / "journal.log").read_bytes() == journal


def test_many_blocks_are_profiled_as_one(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [f"2026-10-{1 + i % 20:02d}T00:00:00Z" for i in range(1000)]
    lines = [call(f"{i:0200d}", i, (ANA, BOB, STRANGER, f"n{i}")[i % 4], days[i]) for i in range(1000)]
    file = write_calls(tmp_path / "calls.csv", *lines, "torn")
    whole = try_file(data, file, "calls", "-n", 3)
    monkeypatch.setenv("OCTROI_BLOCK_BYTES", "4096")  # but the first block: it has all that was read for the header
    pieces = try_file(data, file, "calls", "-n", 500)
    assert [record["record"] for record in pieces["records"]] == list(range(500))
    assert [record["cdr"]["quantity"] for record in pieces["records"]] == [str(i) for i in range(500)]
    assert pieces["profile"] == whole["profile"]
    profile = whole["profile"]
    assert profile["access_points"] == {"distinct": 253, "exact": True, "unknown": 251, "unknown_percent": "99.21"}
    assert profile["reasons"][0] == {"reason": "FIELD_COUNT", "outcome": "rejected", "records": 1, "first_record": 1000}
    assert profile["reasons"][1]["first_record"] == 2
    assert profile["event_types"][0]["quantity"] == str(sum(range(1000)))
    assert profile["event_types"][0]["edr_quantity"] == str(sum(i for i in range(1000) if i % 4 < 2))
