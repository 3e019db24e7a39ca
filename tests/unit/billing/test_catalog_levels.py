"""Levels and accumulators in catalogs: what is wrong is told with its place, and per cent are of what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from rating_world import World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from rating.image_charges import version_name
from rating.levels import level_of, money_unit, whole_of
from schemas.catalog import Catalog
from schemas.quantity import BUILT_IN_UNITS

SOLD = """
{kind: event_type, code: voice, unit: s}
---
{kind: event_type, code: data, unit: B}
---
{kind: counter, code: month, unit: GB, notify: ["80 %", "7 GB"]}
---
{kind: counter, code: volume, unit: GB, notify: ["1 TB"]}
---
{kind: counter, code: spend, unit: EUR, function: amount, notify: ["0.5 EUR"]}
---
kind: price_plan
code: data
currency: EUR
versions:
- {start: "2026-01-01T00:00:00Z", model: flat, per: "1 GB", price: "1", free: "5 GB", counter: month}
---
kind: price_plan
code: voice
currency: EUR
versions:
- {start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "1"}
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: charge, code: data, event_type: data, price_plan: data, accumulate: [volume]}
---
{kind: offer, code: mobile, charges: [voice, data], accumulate: [spend]}
---
kind: account
code: ana
currency: EUR
wallets: [{code: gift, type: prepaid, notify_below: ["5", "0"]}, {code: bill, type: postpaid, notify_below: ["-10"]}]
---
{kind: subscription, code: ana, account: ana, offer: mobile, access_points: [{id: "1"}]}
"""
WRONG = [
    ('["80 %", "7 GB"]', '["0 GB"]', "notify.0", "is zero", "above zero"),
    ('["80 %", "7 GB"]', '["4 GB", "80 %"]', "notify.1", '"80 %" is the level "4 GB" once more', "remove one"),
    ('["80 %", "7 GB"]', '["7 min"]', "notify.0", "measures time, not data", "5 GB"),
    ('["80 %", "7 GB"]', '["7 parsec"]', "notify.0", 'does not count "parsec"', "GB"),
    ('["80 %", "7 GB"]', '["999999999 TB"]', "notify.0", "too large", "write a quantity"),
    ('["1 TB"]', '["80 %"]', "notify.0", 'nobody knows what "80 %" is of', 'such as "5 GB"'),
    ('["0.5 EUR"]', '["5 USD"]', "notify.0", 'does not count "USD"', "EUR"),
    (
        "unit: EUR, function: amount",
        "unit: GBX, function: amount",
        "unit",
        'does not bill in the currency "GBX"',
        "GBP",
    ),
    ("accumulate: [volume]", "accumulate: [month]", "accumulate.0", 'the price plan "data" runs on', "of its own"),
    ("accumulate: [volume]", "accumulate: [spent]", "accumulate.0", 'the counter "spent" is unknown', "spend"),
    ("accumulate: [volume]", "accumulate: [volume, volume]", "accumulate.1", "repeated", "remove"),
    ("accumulate: [volume]", "accumulate: [spend]", "accumulate.0", "accumulates on", "count twice"),
    (
        "accumulate: [spend]",
        "accumulate: [volume]",
        "accumulate.0",
        '"volume" counts data, but the charge "voice"',
        "time",
    ),
    ("function: amount", "function: amount, roll_over: {of: 1 EUR}", "roll_over", "an amount leaves nothing", "remove"),
    ('unit: GB, notify: ["1 TB"]', "unit: GB, function: max", "accumulate.0", "holds the largest usage", "without it"),
    (
        "code: data\ncurrency: EUR",
        "code: data\ncurrency: USD",
        "accumulate.0",
        "counts EUR, but the charge",
        "per currency",
    ),
    (
        "counter: month}",
        "counter: spend}",
        "versions.0.counter",
        "counts amounts, by which nothing is priced",
        "accumulate",
    ),
    (
        'unit: GB, notify: ["1 TB"]',
        'unit: GB, by: zone, notify: ["1 TB"]',
        "by",
        "counted each for itself",
        "or neither",
    ),
    (
        'unit: GB, notify: ["1 TB"]',
        'unit: GB, values: [EU], notify: ["1 TB"]',
        "by",
        "counted each for itself",
        "or neither",
    ),
    (
        'unit: GB, notify: ["80',
        'unit: GB, by: zone, values: [EU], notify: ["80',
        "versions.0.counter",
        "prices have one counter",
        "accumulate",
    ),
    (
        "function: amount",
        "function: amount, by: zone, values: [EU]",
        "accumulate.0",
        "which no usage of data, voice says",
        "add it",
    ),
    ("function: amount", "function: amount, by: zone, values: [EU, EU]", "values.1", "repeated", "remove"),
    ('["5", "0"]', '["5", "-1"]', "wallets.0.notify_below.1", "does not fall to -1", "0 or more"),
    ('["5", "0"]', '["5", "5.0"]', "wallets.0.notify_below.1", "is repeated", "remove"),
    ('["5", "0"]', '["0.0000000001"]', "wallets.0.notify_below.0", "too many decimals", "at most 9"),
    ('["-10"]', '["-99999999999"]', "wallets.1.notify_below.0", "too large", "at most"),
]


def loaded(text: str) -> Catalog:
    return catalog_from(*text.strip().split("\n---\n"))


@pytest.mark.parametrize(("old", "new", "field", "message", "fix"), WRONG, ids=[case[1] for case in WRONG])
def test_a_mistake_is_told(old: str, new: str, field: str, message: str, fix: str) -> None:
    assert SOLD.count(old) == 1
    with pytest.raises(UnableToLoadCatalog) as caught:
        loaded(SOLD.replace(old, new))
    assert [
        problem for problem in caught.value.problems if problem.field == field and message in problem.message and fix in problem.fix
    ], caught.value  # fmt: skip


def test_a_shared_accumulator_needs_a_holder() -> None:
    with pytest.raises(UnableToLoadCatalog, match='counter "spend" of the offer "mobile" is shared by a group'):
        loaded(SOLD.replace("function: amount", "function: amount, shared_by: group"))


def test_levels_are_compiled_in_the_order_in_which_they_are_crossed() -> None:
    world = World(loaded(SOLD))
    notices = world.image.notices
    assert notices is not None
    assert notices.counters is not None
    assert notices.counters.level.tolist() == [4 * 10**9, 7 * 10**9, 5 * 10**8, 10**12]
    assert notices.counters.written == ("80 %", "7 GB", "0.5 EUR", "1 TB")
    assert notices.counters.ptr.tolist() == [0, 2, 3, 4]
    assert notices.accumulators is not None
    assert notices.accumulators.level.tolist() == [5 * 10**8, 10**12]
    assert notices.wallets is not None
    assert notices.wallets.level.tolist() == [10 * 10**9, -5 * 10**9, 0]
    assert world.vocabulary.accumulators.names.to_list() == ["ana/spend#EUR", "ana/volume"]
    assert world.state.accumulator_count == 2


def test_a_catalog_without_levels_and_accumulators_has_neither() -> None:
    quiet = SOLD.replace(', notify: ["80 %", "7 GB"]', "").replace(', notify: ["1 TB"]', "")
    quiet = quiet.replace(', notify: ["0.5 EUR"]', "").replace(', notify_below: ["5", "0"]', "")
    quiet = quiet.replace(', notify_below: ["-10"]', "").replace(", accumulate: [spend]", "")
    image = World(loaded(quiet.replace(", accumulate: [volume]", ""))).image
    assert (image.notices, image.accumulators, image.accumulator_count) == (None, None, 0)


def test_levels_are_no_part_of_a_price() -> None:
    plain, told = loaded(SOLD.replace(', notify: ["80 %", "7 GB"]', "")), loaded(SOLD)
    names = [version_name(each.charges["data"], each.price_plans["data"].versions[0], each) for each in (plain, told)]
    assert names[0] == names[1]


def test_per_cent_are_rounded_up_to_a_whole_step_of_what_they_are_of() -> None:
    catalog = loaded(SOLD)
    counter, versions = catalog.counters["month"], catalog.price_plans["data"].versions
    assert whole_of(counter, versions, catalog.units) == 5 * 10**9
    limited = counter.model_copy(update={"ceiling": "8 GB"})
    assert whole_of(limited, versions, catalog.units) == 8 * 10**9
    assert level_of("33.3 %", 10, BUILT_IN_UNITS["B"], BUILT_IN_UNITS) == 4
    assert level_of("100 %", 10, BUILT_IN_UNITS["B"], BUILT_IN_UNITS) == 10
    assert level_of("0.000000001 EUR", None, money_unit("EUR"), BUILT_IN_UNITS) == 1


def test_a_table_says_below_what_its_prepaid_wallets_are_told_of(tmp_path: Path) -> None:
    text = SOLD.strip() + "\n---\n{kind: subscription_table, file: table.csv}\n"
    (tmp_path / "catalog.yaml").write_text(text)
    header = "account,currency,subscription,offer,access_point,prepaid_balance,notify_below\n"
    (tmp_path / "table.csv").write_text(header + "bob,EUR,bob,mobile,2,10,2.50\neve,EUR,eve,mobile,3,10,\n")
    levels = load_catalog(tmp_path).wallet_levels
    assert levels.filter(levels["account"] != "ana").rows() == [("bob", "prepaid", 2_500_000_000)]
    (tmp_path / "table.csv").write_text(header + "bob,EUR,bob,mobile,2,,2.50\neve,EUR,eve,mobile,3,10,much\n")
    with pytest.raises(UnableToLoadCatalog, match="no prepaid wallet") as caught:
        load_catalog(tmp_path)
    assert '"much" is not a balance' in str(caught.value)
