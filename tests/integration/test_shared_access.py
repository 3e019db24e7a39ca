"""One record for several subscriptions, through the real command: billed to each, counted once, explained apart."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cli_calls import ANA, BOB, CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

SHARED = (
    CATALOG.replace(f'{{id: "{ANA}"}}', f'{{id: "{ANA}", shared: true}}')
    + f"""---
{{kind: account, code: employer, currency: EUR, wallets: [{{code: credit, type: prepaid, opening_balance: "0.50"}}]}}
---
{{kind: subscription, code: work, account: employer, offer: mobile, access_points: [{{id: "{ANA}", shared: true}}]}}
"""
)
MORE = SHARED.replace('opening_balance: "0.50"}]', 'opening_balance: "0.50"}, {code: bill, type: postpaid}]')


def test_a_shared_record_is_billed_to_each_subscription(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", SHARED)
    first = write_calls(tmp_path / "first.csv", call(1, 30), call(2, 40), call(1, 30))
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    items = query(data, "SELECT id, account, amount FROM rated_item ORDER BY claim, record, branch")
    assert [(row["id"], row["account"], Decimal(row["amount"])) for row in items] == [
        ("ri-2-0", "ana", Decimal("0.3")),
        ("ri-2-0-1", "employer", Decimal("0.3")),
        ("ri-2-1", "ana", Decimal("0.4")),
    ]
    ids = [row["id"] for row in query(data, "SELECT id FROM edr ORDER BY claim, record, branch")]
    assert ids == ["edr-2-0", "edr-2-0-1", "edr-2-1"]
    sheets = balanced(data)
    (records,), (edrs,) = sheets["records"], sheets["edrs"]
    assert [records[name] for name in ("received", "accepted", "duplicate")] == [3, 2, 1]
    assert [edrs[name] for name in ("edrs", "rated", "unrated")] == [4, 3, 1]

    for item, account in (("ri-2-0", "ana"), ("ri-2-0-1", "employer")):
        told = octroi("explain", item, "--data", data, "--json").ok().json
        assert (told["item"]["id"], told["item"]["account"], told["agrees"]) == (item, account, True)
        assert len(told["wallet_operations"]) == 1
    assert octroi("explain", "ri-2-1-1", "--data", data).code == 2

    # the employer's credit was used up: only that branch is unrated, and only it is tried again
    listed = octroi("rejects", "list", "--data", data, "--json").ok().json["rejections"]
    assert [(row["id"], row["reason"]) for row in listed] == [("2-1-1", "INSUFFICIENT_BALANCE")]
    shown = octroi("rejects", "show", "2-1-1", "--data", data).ok().out
    assert shown.startswith("rejection 2-1-1\n")
    assert octroi("rejects", "discard", "2-1", "--reason", "no", "--data", data).code == 2
    write_catalog(data, MORE)
    octroi("rejects", "replay", "2-1-1", "--data", data).ok()
    again = query(data, "SELECT id, account, amount, wallet FROM rated_item WHERE claim > 3")
    assert [(row["id"], row["account"], Decimal(row["amount"])) for row in again] == [
        ("ri-4-0-1", "employer", Decimal("0.4"))
    ]
    paid = query(data, "SELECT id, amount FROM wallet_operation WHERE claim = 4 ORDER BY part")
    assert [(row["id"], Decimal(row["amount"])) for row in paid] == [
        ("wo-4-0-1-0", Decimal("-0.2")),
        ("wo-4-0-1-1", Decimal("-0.2")),
    ]
    assert query(data, "SELECT count() AS n FROM rejection WHERE status = 'OPEN' AND claim = 2") == [{"n": 0}]
    balanced(data)


RESOLD = (
    CATALOG.replace(
        f'access_points: [{{id: "{ANA}"}}]',
        f'reseller: {{account: shop, offer: wholesale}}, access_points: [{{id: "{ANA}"}}]',
    )
    + """---
{kind: account, code: shop, currency: EUR, wallets: [{code: credit, type: prepaid, opening_balance: "0.50"}]}
---
{kind: price_plan, code: wholesale, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.40"}]}
---
{kind: charge, code: wholesale, event_type: voice, price_plan: wholesale}
---
{kind: offer, code: wholesale, charges: [wholesale]}
---
{kind: contract, code: shop-2026, account: shop, start: "2026-01-01T00:00:00Z", items: [{percentage: "25"}]}
"""
)


def test_what_was_resold_is_priced_for_the_subscriber_and_for_the_reseller(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", RESOLD)
    calls = write_calls(tmp_path / "calls.csv", call(1, 60), call(2, 60), call(3, 60, BOB))
    octroi("ingest", calls, "--source", "calls", "--data", data).ok()
    balanced(data)
    items = query(
        data, "SELECT id, account, subscription, charge, amount FROM rated_item ORDER BY claim, record, branch"
    )
    told = [(row["account"], row["subscription"], row["charge"], Decimal(row["amount"])) for row in items]
    assert told == [
        ("ana", "ana", "voice", Decimal("0.6")),
        ("shop", "ana@shop", "wholesale", Decimal("0.3")),
        ("ana", "ana", "voice", Decimal("0.6")),
        ("bob", "bob", "voice", Decimal("0.6")),
    ]
    # the shop has 0.20 left, and nobody pays for it: its second call waits
    listed = octroi("rejects", "list", "--data", data, "--json").ok().json["rejections"]
    assert [(row["id"], row["reason"]) for row in listed] == [("2-1-1", "INSUFFICIENT_BALANCE")]
    lines = octroi("explain", items[1]["id"], "--data", data).ok().out.splitlines()
    assert "contract shop-2026: 25 % off the prices of wholesale (contract of shop)" in lines
    assert "wallet credit: -0.3 EUR, balance afterwards 0.2" in lines
