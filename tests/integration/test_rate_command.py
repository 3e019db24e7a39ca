"""`octroi rate`: outputs, what is refused and why, the order of events, and that nothing is left behind."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import Told, octroi
from typer.testing import CliRunner

from apps.cli.main import app
from apps.embedded import virtual
from rating.rate import rate

CATALOG = """
{kind: event_type, code: voice, unit: min, attributes: [zone], values: {called: digits, size: number}}
---
{kind: event_type, code: data, unit: MB}
---
{kind: counter, code: monthly, unit: GB, zone: Europe/Paris}
---
kind: price_plan
code: voice
currency: EUR
versions:
  - start: "2026-01-01T00:00:00Z"
    model: flat
    per: 1 min
    price: "0.60"
    connection_fee: "0.05"
    increments: {first: 60 s, next: 1 s}
---
kind: price_plan
code: data
currency: EUR
versions:
  - start: "2026-01-01T00:00:00Z"
    model: graduated
    per: 1 GB
    counter: monthly
    tiers: [{up_to: 5 GB, price: "0"}, {price: "2"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice, filters: {zone: home}}
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: offer, code: mobile, charges: [voice, data]}
---
{kind: account, code: ana, currency: EUR}
---
{kind: account, code: bob, currency: EUR}
---
kind: subscription
code: ana
account: ana
offer: mobile
access_points: [{id: "331", end: "2026-11-01T00:00:00Z"}, {id: "333", shared: true}]
---
{kind: subscription, code: bob, account: bob, offer: mobile, access_points: [{id: "333", shared: true}]}
"""
OCTOBER = "2026-10-05T09:00:00Z"
HEAD = "timestamp,subscription,quantity,unit,event_type,zone"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("catalog")
    (directory / "catalog.yaml").write_text(CATALOG)
    return directory


class Rated:
    """What `octroi rate` made of a usage file: as rows of its CSV."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.rows = list(csv.DictReader(io.StringIO(told.out)))
        self.items = [row for row in self.rows if row["status"] == "rated"]
        self.refused = [(int(row["record"]), row["reason"], row["detail"]) for row in self.rows if row["reason"]]
        self.totals = [row for row in self.rows if row["status"] == "total"]


@pytest.fixture
def rated(catalog: Path, tmp_path: Path) -> Any:
    """Return a function that rates lines of usage; options follow."""

    def call(*lines: str, head: str = HEAD, options: tuple[object, ...] = ()) -> Rated:
        usage = tmp_path / "usage.csv"
        usage.write_text("\n".join([head, *lines, ""]))
        return Rated(octroi("rate", "--catalog", catalog, "--usage", usage, "--out", "csv", *options).ok())

    return call


def test_an_item_says_what_it_was_priced_with(rated: Any) -> None:
    [item] = rated(f"{OCTOBER},ana,63,s,,home", options=("--check",)).items
    assert item == {
        "record": "0",
        "status": "rated",
        "event_at": OCTOBER,
        "access_point": "",
        "subscription": "ana",
        "account": "ana",
        "event_type": "voice",
        "charge": "voice",
        "price_plan": "voice",
        "version_start": "2026-01-01T00:00:00Z",
        "quantity": "1.05",
        "rated_quantity": "1.05",
        "unit": "min",
        "unit_price": "0.6",
        "per": "1 min",
        "free_quantity": "0",
        "connection_fee": "0.05",
        "amount": "0.68",
        "currency": "EUR",
        "tier": "1",
        "band": "",
        "counter_before": "",
        "reason": "",
        "detail": "",
    }


def test_units_are_converted_and_tell_the_event_type(rated: Any) -> None:
    found = rated(
        *(f"{OCTOBER},ana,{quantity},home" for quantity in ("1,min,", "60,s,", "0.5,h,voice", "1,,voice", "1,GB,"))
    )
    assert [(item["event_type"], item["quantity"], item["unit"]) for item in found.items[:4]] == [
        ("voice", quantity, "min") for quantity in ("1", "1", "30", "1")
    ]
    assert (found.items[4]["event_type"], found.items[4]["quantity"], found.items[4]["unit"]) == ("data", "1000", "MB")


REFUSED = [
    ("ana,2,GB,voice,home", "WRONG_UNIT", "unit 'GB' does not measure voice, which is measured in min"),
    ("ana,2,parsec,voice,home", "UNKNOWN_UNIT", "there is no unit 'parsec'"),
    ("ana,2,min,fax,home", "UNKNOWN_EVENT_TYPE", "the catalog has no event type 'fax'"),
    ("ana,2,event,,home", "UNKNOWN_EVENT_TYPE", "names no event type, and the catalog has not exactly one measured in 'event'"),
    ("ana,2,,,home", "UNKNOWN_EVENT_TYPE", "the record names no event type, and the catalog has not exactly one"),
    ("eve,2,min,,home", "UNKNOWN_SUBSCRIPTION", "no subscription has the code 'eve'"),
    ("ana,x,min,,home", "INVALID_QUANTITY", "quantity is 'x'"),
    ("ana,0.0001,s,,home", "QUANTITY_PRECISION", "quantity is '0.0001'"),
    ("ana,9223372036854775807,h,,home", "QUANTITY_OVERFLOW", "quantity is '9223372036854775807'"),
    ("ana,,min,,home", "FIELD_MISSING", "empty: quantity"),
    (",1,min,,home", "FIELD_MISSING", "empty: subscription"),
    ("ana,1", "FIELD_COUNT", "3 fields instead of 6"),
    ("ana,1,min,,abroad", "NO_MATCHING_CHARGE", "subscription ana, 1 min of voice at 2026-10-05T09:00:00Z, zone (none"),
]  # fmt: skip


def test_each_wrong_line_has_its_reason_and_none_is_zero(rated: Any) -> None:
    lines = [f"{OCTOBER},{line}" for line, _, _ in REFUSED]
    found = rated(*lines, f"{OCTOBER},ana,1,min,,home", options=("--check",))
    assert len(found.items) == 1
    told = {record: (reason, detail) for record, reason, detail in found.refused}
    for record, (line, reason, detail) in enumerate(REFUSED):
        assert told[record][0] == reason, line
        assert detail in told[record][1], line
    amounts = {row["amount"] for row in found.rows if row["reason"]}
    assert amounts == {""}


TIMES = [
    ("2026-10-05T09:00:00", "TIMESTAMP_WITHOUT_ZONE"),
    ("yesterday", "INVALID_TIMESTAMP"),
    ("1999-01-01T00:00:00Z", "TIMESTAMP_OUT_OF_RANGE"),
    ("2025-12-31T23:59:59Z", "NO_PRICE_VERSION"),
]


def test_times_need_a_zone_or_one_that_is_named(rated: Any) -> None:
    lines = [f"{at},ana,1,min,,home" for at, _ in TIMES]
    assert [(record, reason) for record, reason, _ in rated(*lines).refused] == list(enumerate(dict(TIMES).values()))
    [item] = rated(lines[0], options=("--zone", "Europe/Paris")).items
    assert item["event_at"] == "2026-10-05T07:00:00Z"
    found = rated(*lines, options=("--at", "2026-10-06T00:00:00+02:00"))
    assert [item["event_at"] for item in found.items] == ["2026-10-05T22:00:00Z"] * 4


def test_an_access_point_finds_its_owner_at_the_time_of_the_usage(rated: Any) -> None:
    head = "access_point,timestamp,quantity,unit,zone"
    found = rated(f"331,{OCTOBER},1,min,home", "331,2026-11-01T00:00:00Z,1,min,home", f"332,{OCTOBER},1,min,home", f"333,{OCTOBER},1,min,home", head=head)  # fmt: skip
    assert [(item["record"], item["access_point"], item["subscription"]) for item in found.items] == [
        ("0", "331", "ana"),
        ("3", "333", "ana"),
        ("3", "333", "bob"),
    ]
    assert found.refused == [
        (1, "ACCESS_POINT_NOT_VALID_AT", "access point '331' belongs to no subscription at 2026-11-01T00:00:00Z"),
        (2, "UNKNOWN_ACCESS_POINT", "no access point has the identifier '332'"),
    ]
    assert [(row["account"], row["amount"]) for row in found.totals if row["account"]] == [
        ("ana", "1.3"),
        ("bob", "0.65"),
    ]


GIGABYTES = (3, 1, 4, 1, 5, 9, 2, 6)


@pytest.mark.parametrize("rows", [3, 131_072])
def test_counters_move_in_the_order_of_events_whatever_the_order_of_lines(
    rated: Any, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(virtual, "BLOCK_ROWS", rows)
    lines = [f"2026-10-{day:02d}T09:00:00Z,ana,{amount},GB,,home" for day, amount in enumerate(GIGABYTES, 1)]
    straight = [
        (item["event_at"], item["amount"], item["free_quantity"], item["unit_price"]) for item in rated(*lines).items
    ]
    random.Random(7).shuffle(lines)
    shuffled = rated(*lines, options=("--check",))
    assert [
        (item["event_at"], item["amount"], item["free_quantity"], item["unit_price"]) for item in shuffled.items
    ] == straight
    assert [each[1] for each in straight] == ["0", "0", "6", "2", "10", "18", "4", "12"]
    assert straight[2][2:] == ("1000", "2")
    assert {row["rated_quantity"] for row in shuffled.totals if row["charge"]} == {"31000"}


def test_counters_begin_where_a_file_says(rated: Any, tmp_path: Path) -> None:
    start = tmp_path / "counters.csv"
    start.write_text("subscription,counter,period,used\nana,monthly,2026-10,4\nbob,monthly,2026-09,100 GB\n")
    usage = (f"{OCTOBER},ana,2,GB,,", f"{OCTOBER},bob,2,GB,,", "2026-11-05T09:00:00Z,ana,2,GB,,")
    found = rated(*usage, options=("--counters", start, "--check"))
    assert [(item["counter_before"], item["amount"]) for item in found.items] == [("4000", "2"), ("0", "0"), ("0", "0")]


BAD_COUNTERS = [
    ("ana,other,2026-10,4", "line 2 of the file of counters: subscription 'ana' has no counter 'other'"),
    ("eve,monthly,2026-10,4", "line 2 of the file of counters: subscription 'eve' has no counter 'monthly'"),
    ("ana,monthly,2026-10-01,4", "'2026-10-01' is no month (YYYY-MM), as counter monthly counts by"),
    ("ana,monthly,2026-13,4", "'2026-13' is no month"),
    ("ana,monthly,2026-10,4 s", "'4 s' is not what counter monthly counts, in GB"),
    ("ana,monthly,2026-10,-4", "'-4' is not what counter monthly counts, in GB"),
    ("ana,monthly,2026-10,much", "'much' is no quantity, such as 40 GB"),
    ("ana,monthly,2026-10,1\nana,monthly,2026-10,2", "line 3 of the file of counters: line 2 says so already"),
]


@pytest.mark.parametrize(("lines", "words"), BAD_COUNTERS, ids=[line for line, _ in BAD_COUNTERS])
def test_a_wrong_counter_is_told(catalog: Path, tmp_path: Path, lines: str, words: str) -> None:
    (tmp_path / "counters.csv").write_text(f"subscription,counter,period,used\n{lines}\n")
    (tmp_path / "usage.csv").write_text(HEAD)
    told = octroi(
        "rate", "--catalog", catalog, "--usage", tmp_path / "usage.csv", "--counters", tmp_path / "counters.csv"
    )
    assert (told.code, told.out) == (2, "")
    assert words in told.err


def test_json_has_everything(catalog: Path, tmp_path: Path) -> None:
    (tmp_path / "usage.csv").write_text(
        f"{HEAD},x\x7fy\n{OCTOBER},ana,6,GB,,home,\n{OCTOBER},e\x7f\u00e9,6,GB,,home,\n"
    )
    words = ("rate", "--catalog", catalog, "--usage", tmp_path / "usage.csv", "--out", "json")
    told = octroi(*words).ok()
    assert "\x7f" not in told.out
    assert "\x7f" not in told.err
    plain, detailed = told.json, octroi(*words, "--detail").ok().json
    assert plain["records"] == 2
    assert [row["subscription"] for row in plain["refused"]] == ["e\x7f\u00e9"]
    assert plain["totals"] == {
        "charges": [
            {"charge": "data", "items": 1, "rated_quantity": "6000", "unit": "MB", "amount": "2", "currency": "EUR"}
        ],
        "accounts": [{"account": "ana", "items": 1, "amount": "2", "currency": "EUR"}],
    }
    [item] = detailed["items"]
    assert item["detail"][1:] == ["tier 1: 5000 MB at 0 per 1 GB = 0", "tier 2: 1000 MB at 2 per 1 GB = 2"]
    assert [part["amount"] for part in item["explanation"]["parts"]] == ["0", "2"]
    assert {name: value for name, value in item.items() if name not in ("detail", "explanation")} == {
        name: value for name, value in plain["items"][0].items() if name != "detail"
    }


def test_a_bill_shows_the_first_lines_and_all_totals(catalog: Path, tmp_path: Path) -> None:
    lines = [f"{OCTOBER},ana,1,min,,{zone}" for zone in ("home", "home", "home", "away", "away")]
    (tmp_path / "usage.csv").write_text("\n".join([HEAD, *lines]))
    told = octroi("rate", "--catalog", catalog, "--usage", tmp_path / "usage.csv", "--limit", "1").ok()
    assert "Virtual: 5 records, 3 rated items; nothing is kept" in told.out
    assert "… 2 more items; --out csv prints all" in told.out
    assert "… 1 more refusal; --out csv prints all" in told.out
    assert ["voice", "3", "3", "min", "1.95", "EUR"] in [line.split() for line in told.out.splitlines()]


def test_what_nothing_reads_is_told(rated: Any) -> None:
    found = rated(f"{OCTOBER},ana,1,min,,home,1,2,3", head=f"{HEAD},size,trunk,called")
    assert found.told.err == "octroi: nothing in the catalog reads 'trunk': left out\n"
    assert [item["amount"] for item in found.items] == ["0.65"]
    [refusal] = rated(f"{OCTOBER},ana,1,min,,home,much", head=f"{HEAD},size").refused
    assert refusal == (0, "INVALID_VALUE", "size is 'much'")


WRONG_FILES = [
    (
        "",
        "the usage file has no column 'subscription' or 'access_point', 'timestamp', 'quantity'; its first line names nothing",
    ),
    (
        "a;b\n1;2\n",
        "has no column 'subscription' or 'access_point', 'timestamp', 'quantity'; its first line names 'a;b'",
    ),
    ("timestamp,subscription\n", "the usage file has no column 'quantity'"),
    ("quantity,quantity,subscription,timestamp\n", "the header names 'quantity' more than once"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_FILES, ids=["empty", "other columns", "no quantity", "twice"])
def test_a_file_that_is_no_usage_is_wrong_usage(catalog: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "usage.csv").write_text(text)
    told = octroi("rate", "--catalog", catalog, "--usage", tmp_path / "usage.csv")
    assert (told.code, told.out) == (2, "")
    assert words in told.err


def test_json_is_read_as_the_table_that_it_stands_for(catalog: Path, tmp_path: Path) -> None:
    texts = {
        "csv": "timestamp,subscription,quantity,unit,zone\n2026-10-05T09:00:00Z,ana,1.50,min,home\n"
        "2026-10-05T10:00:00Z,ana,5000.125,MB,\n2026-10-05T11:00:00Z,ana,x,MB,\n",
        "json": '  [{"timestamp": "2026-10-05T09:00:00Z", "subscription": "ana", "quantity": 1.50, "unit": "min", '
        '"attributes": {"zone": "home"}},\n {"timestamp": "2026-10-05T10:00:00Z", "subscription": "ana", "quantity": 5000.125, '
        '"unit": "MB", "zone": null}, {"timestamp": "2026-10-05T11:00:00Z", "subscription": "ana", "quantity": "x", "unit": "MB"}]',
        "ndjson": '{"timestamp": "2026-10-05T09:00:00Z", "subscription": "ana", "quantity": 1.50, "unit": "min", "zone": "home"}\n'
        '\n{"timestamp": "2026-10-05T10:00:00Z", "subscription": "ana", "quantity": 5000.125, "unit": "MB"}\n'
        '{"timestamp": "2026-10-05T11:00:00Z", "subscription": "ana", "quantity": "x", "unit": "MB"}',
    }
    told = {}
    for form, text in texts.items():
        path = tmp_path / f"usage.{form}"
        path.write_text(text)
        told[form] = octroi("rate", "--catalog", catalog, "--usage", path, "--out", "csv").ok().out
    assert told["csv"].count("rated") >= 2
    assert told["json"] == told["ndjson"] == told["csv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "record 0 is no JSON object"), ('{"timestamp": "x"}\n{', "line 2 is no JSON"), ("[", "the usage file is no JSON"),
        ('{"timestamp": [1]}', "record 0: timestamp is neither a text nor a number"), ("{}", "has no column"), ("[]", "has no column"),
    ],
)  # fmt: skip
def test_json_that_is_no_usage_is_wrong_usage(catalog: Path, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "usage.json").write_text(text)
    told = octroi("rate", "--catalog", catalog, "--usage", tmp_path / "usage.json")
    assert (told.code, words in told.err) == (2, True), told


def test_exit_codes(catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage, wrong = tmp_path / "usage.csv", tmp_path / "catalog.yaml"
    usage.write_text(f"{HEAD}\n{OCTOBER},ana,1,min,,home\n{OCTOBER},ana,1,min,,away\n")
    wrong.write_text("{kind: event_type, code: voice, unit: secs}")
    words = ("rate", "--usage", usage, "--catalog", catalog)
    assert octroi(*words, "--rejects-max", "50").code == 0
    assert octroi(*words, "--rejects-max", "49").code == 5
    assert octroi(*words, "--out", "pdf").code == 2
    assert octroi(*words, "--at", "2026-10-05").code == 2
    assert octroi(*words, "--zone", "Mars/Base").code == 3
    assert octroi("rate", "--usage", usage, "--catalog", tmp_path).code == 3
    assert octroi("rate", "--usage", tmp_path / "none.csv", "--catalog", catalog).code == 4

    def dearer(*arguments: Any) -> Any:
        found = rate(*arguments)
        return replace(found, amount=found.amount + 1)

    monkeypatch.setattr(virtual, "rate", dearer)
    told = octroi(*words, "--check")
    assert told.code == 1
    assert "record 0: the kernels say" in told.err
    assert octroi(*words, "--out", "csv", "--detail").code == 1
    assert octroi(*words, "--out", "csv").code == 0


def test_nothing_is_left_behind_and_stdin_is_read(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the catalog of the data directory, which is not written to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OCTROI_DATA_DIR", raising=False)
    Path("octroi-data").mkdir()
    Path("octroi-data/catalog").symlink_to(catalog)
    before = sorted(tmp_path.rglob("*"))
    usage = f"{HEAD}\n{OCTOBER},ana,1,min,,home\n"
    told = CliRunner().invoke(app, ["rate", "--usage", "-", "--virtual", "--out", "csv"], input=usage)
    assert told.exit_code == 0, told.output
    assert ",0.65,EUR," in told.stdout
    assert sorted(tmp_path.rglob("*")) == before
