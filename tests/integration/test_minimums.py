"""Minimums and commitments from the catalog to money: charged when a period has ended, corrected by what comes late, undone."""

from __future__ import annotations

from pathlib import Path

from cli_octroi import balanced, octroi, query

CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: price_plan, code: voice, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, price: "1"}]}
---
{kind: charge, code: voice, event_type: call, price_plan: voice}
---
kind: price_plan
code: fees
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "5", rounding: {decimals: 2}}]
---
{kind: recurring_charge, code: line, price_plan: fees}
---
kind: price_plan
code: least
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "31", rounding: {decimals: 2}}]
---
{kind: minimum_charge, code: least, price_plan: least}
---
{kind: minimum_charge, code: committed, price_plan: least, of: [voice], overage_factor: "1.5", when_unused: false}
---
{kind: offer, code: least, charges: [voice, line, least]}
---
{kind: offer, code: committed, charges: [voice, committed]}
---
{kind: account, code: ana, currency: EUR}
---
{kind: account, code: ben, currency: EUR}
---
{kind: contract, code: deal, account: ben, start: "2026-01-01T00:00:00Z", items: [{charge: committed, price: "20"}]}
---
{kind: subscription, code: ana, account: ana, offer: least, start: "2026-07-11T00:00:00Z", access_points: [{id: "1"}]}
---
{kind: subscription, code: ben, account: ben, offer: committed, start: "2026-07-01T00:00:00Z", access_points: [{id: "2"}]}
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {field: at}
  quantity: {field: seconds, unit: s}
  event_type: {constant: call}
"""
FIRST = (
    "id,caller,at,seconds\n1,1,2026-07-20T12:00:00Z,300\n2,2,2026-07-31T23:59:59Z,1800\n3,2,2026-08-01T00:00:00Z,60\n"
)
LATE = "id,caller,at,seconds\n4,1,2026-07-21T12:00:00Z,600\n5,2,2026-07-21T12:00:00Z,120\n"
ITEMS = (
    "SELECT subscription, charge, toString(sum(amount)) AS amount FROM rated_item "
    "WHERE source = 'fees' GROUP BY subscription, charge ORDER BY subscription, charge"
)


def _fees(data: Path, until: str) -> dict[str, str]:
    octroi("fees", "--data", data, "--until", until).ok()
    balanced(data)
    return {f"{row['subscription']} {row['charge']}": row["amount"] for row in query(data, ITEMS)}


def test_what_is_lacking_is_charged_and_corrected_by_what_comes_late(tmp_path: Path) -> None:
    data, first, late = tmp_path / "data", tmp_path / "first.csv", tmp_path / "late.csv"
    first.write_text(FIRST)
    late.write_text(LATE)
    (data / "catalog").mkdir(parents=True)
    (data / "catalog" / "catalog.yaml").write_text(CATALOG)
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    preview = octroi("fees", "--data", data, "--until", "2026-08-01", "--preview", "--json").ok().json
    assert preview["charged"] == 3
    # the minimum counts the line that the same run would charge
    assert {row["fee"]: row["share"] for row in preview["rows"]}["least"] == "1261/3100"
    # Ana: 21 of 31 days of 31 are 21, less 5 of calls and 3.39 of the line; Ben: 30 of calls, half of 10 beyond 20
    july = {"ana line": "3.39", "ana least": "12.61", "ben committed": "5"}
    assert _fees(data, "2026-08-01") == july
    assert _fees(data, "2026-08-01") == july
    octroi("ingest", late, "--source", "calls", "--data", data).ok()
    assert _fees(data, "2026-08-01") == {**july, "ana least": "2.61", "ben committed": "6"}
    octroi("files", "back-out", "late.csv", "--reason", "wrong", "--data", data).ok()
    assert _fees(data, "2026-08-01") == july
    # in August Ana used nothing, and Ben a minute: he lacks 19
    assert _fees(data, "2026-09-01") == {"ana line": "8.39", "ana least": "38.61", "ben committed": "24"}
    told = query(data, "SELECT id FROM rated_item WHERE charge = 'least' AND status = 'rated' ORDER BY claim LIMIT 1")
    assert "as stored" in octroi("explain", told[0]["id"], "--data", data).ok().out


FRAME = CATALOG[: CATALOG.index("{kind: minimum_charge, code: committed")] + """
{kind: minimum_charge, code: family, price_plan: least, scope: customer}
---
{kind: offer, code: calls, charges: [voice]}
---
{kind: offer, code: least, charges: [voice, least]}
---
{kind: offer, code: frame, charges: [family]}
---
{kind: account, code: smith, currency: EUR, level: customer}
---
{kind: account, code: ana, currency: EUR, parent: smith}
---
{kind: account, code: ben, currency: EUR, parent: smith}
---
{kind: account, code: eve, currency: EUR}
---
{kind: subscription, code: ana, account: ana, offer: calls, start: "2026-07-01T00:00:00Z", access_points: [{id: "1"}]}
---
{kind: subscription, code: ben, account: ben, offer: calls, start: "2026-07-01T00:00:00Z", access_points: [{id: "2"}]}
---
{kind: subscription, code: eve, account: eve, offer: least, start: "2026-07-01T00:00:00Z", access_points: [{id: "3"}]}
---
{kind: subscription, code: frame, account: smith, offer: frame, start: "2026-07-01T00:00:00Z"}
---
""" + CATALOG[CATALOG.index("kind: source") :]  # fmt: skip
"""A family pays 31 together, whoever calls."""


def test_a_family_pays_a_minimum_together(tmp_path: Path) -> None:
    data, first, late = tmp_path / "data", tmp_path / "first.csv", tmp_path / "late.csv"
    first.write_text(
        "id,caller,at,seconds\n1,1,2026-07-20T12:00:00Z,300\n2,2,2026-07-20T12:00:00Z,600\n3,3,2026-07-20T12:00:00Z,60\n"
    )
    late.write_text("id,caller,at,seconds\n4,2,2026-07-21T12:00:00Z,600\n5,1,2026-07-21T12:00:00Z,60\n")
    (data / "catalog").mkdir(parents=True)
    (data / "catalog" / "catalog.yaml").write_text(FRAME)
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    # the family called for 15; Eve, who is none of it, lacks 30 of her own
    assert _fees(data, "2026-08-01") == {"eve least": "30", "frame family": "16"}
    octroi("ingest", late, "--source", "calls", "--data", data).ok()
    assert _fees(data, "2026-08-01") == {"eve least": "30", "frame family": "5"}
    # Eve comes to the family: her calls and what her own minimum added are more than 31 with those of the others
    (data / "catalog" / "catalog.yaml").write_text(
        FRAME.replace("code: eve, currency: EUR", "code: eve, currency: EUR, parent: smith")
    )
    octroi("run", data).ok()
    assert _fees(data, "2026-08-01") == {"eve least": "30", "frame family": "0"}
    octroi("files", "back-out", "late.csv", "--reason", "wrong", "--data", data).ok()
    assert _fees(data, "2026-08-01") == {"eve least": "30", "frame family": "0"}
    # in August nobody called: Eve's minimum of the same run is as much as the family's, in the preview as well
    preview = octroi("fees", "--data", data, "--until", "2026-09-01", "--preview", "--json").ok().json
    assert [(row["subscription"], row["fee"], row["share"]) for row in preview["rows"]] == [("eve", "least", "1")]
    assert _fees(data, "2026-09-01") == {"eve least": "61", "frame family": "0"}
    # another subscription pays from then on, though it is as old: nothing of what was asked is asked again
    (data / "catalog" / "catalog.yaml").write_text(
        FRAME.replace("code: eve, currency: EUR", "code: eve, currency: EUR, parent: smith")
        .replace("code: frame, account: smith, offer: frame", "code: frame, account: smith, offer: calls")
        .replace("code: ana, account: ana, offer: calls", "code: ana, account: ana, offer: frame")
    )
    octroi("run", data).ok()
    assert _fees(data, "2026-09-01") == {"eve least": "61", "frame family": "0"}
