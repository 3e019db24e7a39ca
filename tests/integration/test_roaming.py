"""RADIUS sessions and TAP files through the real command: consumption across a wrap, files whose sums do not fit."""

from __future__ import annotations

import re
from pathlib import Path

from cli_calls import write_catalog
from cli_octroi import balanced, octroi, query

from benchmarks.generate.roaming import write_tap

CATALOG = """\
{kind: event_type, code: data, unit: B}
---
{kind: event_type, code: call, unit: s}
---
kind: source
code: sessions
format: radius
layout: hex
on_same_key: duplicate
mapping:
  identity: [NAS-IP-Address, NAS-Identifier, Acct-Session-Id, Acct-Status-Type, Acct-Session-Time]
  access_point: Calling-Station-Id
  time: {field: Event-Time}
  quantity: {field: Total-Octets-64, unit: B, cumulative: {series: [NAS-IP-Address, Acct-Session-Id], opens_at: zero}}
  event_type: {constant: data}
  filters:
    - {field: Acct-Status-Type, keep: [Interim-Update, Stop]}
---
kind: source
code: roaming
format: tap
mapping:
  identity: [event, subscriber, startTime, otherParty, reference, recEntity]
  access_point: subscriber
  time: {field: startTime}
  quantity: {field: duration, unit: s}
  event_type: {field: event, values: {mobileOriginatedCall: call, mobileTerminatedCall: call}}
  filters:
    - {field: event, drop: [gprsCall]}
---
kind: price_plan
code: data
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 MB", price: "0.01"}]
---
kind: price_plan
code: call
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.1"}]
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: charge, code: call, event_type: call, price_plan: call}
---
{kind: offer, code: all, charges: [data, call]}
---
{kind: account, code: ana, currency: EUR}
---
kind: subscription
code: ana
account: ana
offer: all
access_points: [{id: "33612345678"}, {id: "208010000000000"}, {id: "208010000000010"}]
"""


def test_a_session_is_billed_by_what_it_used_across_four_gibibytes(tmp_path: Path, samples: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG)
    lines = (samples / "telco/radius/own_acct_session.hex").read_text().splitlines(keepends=True)
    session = tmp_path / "session.hex"
    session.write_text("".join([*lines, lines[2]]))  # an update is sent again
    octroi("ingest", session, "--source", "sessions", "--data", data).ok()
    edrs = query(data, "SELECT quantity_steps AS used FROM edr ORDER BY record")
    assert [int(row["used"]) for row in edrs] == [4_294_961_000, 14_296, 5_000]
    (records,) = balanced(data)["records"]
    assert {name: records[name] for name in ("accepted", "duplicate", "filtered", "rejected")} == {
        "accepted": 3, "duplicate": 1, "filtered": 1, "rejected": 0,
    }  # fmt: skip
    shown = octroi("sources", "test", session, "--source", "sessions", "--data", data).ok().out
    assert "0402009c70a1fffdee" in shown


def test_a_roaming_file_is_taken_once_and_refused_whole_when_its_sums_do_not_fit(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", CATALOG)
    good = write_tap(tmp_path / "CDGBRAAFRAF100001", records=50, subscribers=2, seed=4)
    octroi("ingest", good, "--source", "roaming", "--data", data).ok()
    (records,) = balanced(data)["records"]
    assert (records["received"], records["accepted"], records["filtered"]) == (50, 30, 20)
    again = write_tap(tmp_path / "CDGBRAAFRAF100002", records=50, subscribers=2, seed=4, sequence=2, indefinite=True)
    octroi("ingest", again, "--source", "roaming", "--data", data).ok()
    assert [row["duplicate"] for row in balanced(data)["records"]] == [0, 30]

    wrong = tmp_path / "CDGBRAAFRAF100003"
    whole = write_tap(wrong, records=50, subscribers=2, seed=5, sequence=3).read_bytes()
    wrong.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    refused = octroi("ingest", wrong, "--source", "roaming", "--data", data)
    assert refused.code == 5
    assert re.search(r"AUDIT_MISMATCH.*callEventDetailsCount is 51, the file has 50 events", refused.out + refused.err)
    assert "EDR" in octroi("balance", "--data", data).ok().out
    assert len(balanced(data)["records"]) == 2
