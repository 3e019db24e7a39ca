"""Sessions whose octets grow and wrap, through the real command: differences are billed, a late activation heals itself."""

from __future__ import annotations

from pathlib import Path

from cli_calls import write_catalog
from cli_octroi import balanced, octroi, query

CATALOG = """\
{kind: event_type, code: data, unit: B}
---
kind: source
code: sessions
format: delimited
mapping:
  identity: [session, at]
  access_point: nas
  time: {field: at}
  quantity: {field: octets, unit: B, cumulative: {series: [session], opens_at: zero, on_decrease: wrap_32}}
  event_type: {constant: data}
---
kind: price_plan
code: data
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 MB", price: "0.01"}]
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: offer, code: net, charges: [data]}
---
{kind: account, code: ana, currency: EUR}
---
{kind: subscription, code: ana, account: ana, offer: net, access_points: [{id: "nas-1"}]}
"""
LATER = CATALOG + '---\n{kind: subscription, code: two, account: ana, offer: net, access_points: [{id: "nas-2"}]}\n'


def _file(directory: Path, name: str, *lines: str) -> Path:
    path = directory / name
    path.write_text("\n".join(["session,nas,at,octets", *lines, ""]))
    return path


def test_sessions_are_billed_by_what_their_counters_counted(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG)
    ten, half, eleven = (f"2026-10-05T{clock}:00Z" for clock in ("10:00", "10:30", "11:00"))
    first = _file(
        tmp_path, "first.csv",
        f"a,nas-1,{ten},1000", f"b,nas-1,{ten},4294967000", f"a,nas-1,{half},1500", f"b,nas-1,{half},704",
        f"a,nas-1,{half[:-1]}+00:00,1500", f"a,nas-1,{ten[:-1]}+00:00,900", f"c,nas-2,{ten},70",
    )  # fmt: skip
    octroi("ingest", first, "--source", "sessions", "--data", data).ok()
    edrs = query(data, "SELECT record, quantity_steps AS used, event_at, event_end FROM edr ORDER BY record")
    assert [(row["record"], int(row["used"])) for row in edrs] == [(0, 1000), (1, 4_294_967_000), (2, 500), (3, 1000)]
    assert edrs[2]["event_at"] == edrs[0]["event_at"] == edrs[0]["event_end"] != edrs[2]["event_end"]
    (records,) = balanced(data)["records"]
    assert {name: records[name] for name in ("accepted", "absorbed", "parked", "rejected")} == {
        "accepted": 4, "absorbed": 1, "parked": 1, "rejected": 1,
    }  # fmt: skip
    refused = query(data, "SELECT record, reason FROM rejection ORDER BY record")
    assert refused == [
        {"record": 5, "reason": "READING_OUT_OF_ORDER"},
        {"record": 6, "reason": "UNKNOWN_ACCESS_POINT"},
    ]

    write_catalog(data, LATER)
    octroi("rejects", "replay", "--code", "UNKNOWN_ACCESS_POINT", "--data", data).ok()
    second = _file(tmp_path, "second.csv", f"c,nas-2,{eleven},100", f"a,nas-1,{eleven},1500")
    octroi("ingest", second, "--source", "sessions", "--data", data).ok()
    later = query(data, "SELECT subscription, quantity_steps AS used FROM edr WHERE claim > 2 ORDER BY claim, record")
    assert [(row["subscription"], int(row["used"])) for row in later] == [("two", 70), ("two", 30), ("ana", 0)]
    balanced(data)


def test_a_source_says_what_its_counter_does(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG)
    shown = octroi("sources", "show", "sessions", "--data", data).ok().out
    assert "usage is the difference of consecutive readings of the access point and session" in shown
    assert "went once over 2**32" in shown
    tried = _file(tmp_path, "try.csv", "a,nas-1,2026-10-05T10:00:00Z,1000", "a,nas-1,2026-10-05T10:00:01Z,1700")
    records = octroi("sources", "test", tried, "--source", "sessions", "--data", data, "--json").ok().json["records"]
    assert [record["cdr"]["quantity_steps"] for record in records] == [1000, 1700]
    assert [record["edr"]["quantity_steps"] for record in records] == [1000, 700]
