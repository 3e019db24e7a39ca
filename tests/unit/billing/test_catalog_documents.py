"""Bad documents: each is refused at its line, under its field, with a fix. One row per rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_problems import A, Case, E, P, S, assert_told

V0 = "versions.0."

CASES = {
    # documents
    "kind unknown": Case(P, "kind: unit", "kind: units", "kind: units", "kind", "not a kind", 'did you mean "unit"?'),
    "kind missing": Case(P, "kind: unit\n", "", "code: passage", "kind", "is missing", "one of unit, event_type"),
    "format unknown": Case(S, "cloudevents", "cloudevent", "cloudevent\n", "format", "", 'did you mean "cloudevents"?'),
    "not a mapping": Case(P, "kind: unit\n", "- a\n---\nkind: unit\n", "- a", "", "a mapping", "kind"),
    "field unknown": Case(P, "period: month", "perod: month", "perod", "perod", "unknown", 'did you mean "period"?'),
    "field missing": Case(P, "zone: Europe/Paris\nbands", "bands", "calendar\n", "zone", "is missing", "add `zone"),
    "field missing, choices": Case(
        P,
        "    model: graduated\n",
        "",
        "- start: 2026-01-01T00:00:00Z\n    per: 1 MB",
        V0 + "model",
        "",
        "flat, graduated",
    ),
    "code not well formed": Case(P, "code: toll-plan", "code: toll plan", "toll plan", "code", "", "letters, digits"),
    "code not text": Case(P, "code: toll-plan", "code: 12", "code: 12", "code", "is not text", 'in quotes: "12"'),
    "code twice": Case(
        P,
        "{kind: offer, code: road",
        "{kind: offer, code: mobile",
        "{kind: offer, code: mobile, charges: [toll]}",
        "code",
        "declared twice (first at",
        "rename",
    ),
    "float": Case(P, '"0.15"', "0.15", "0.15", V0 + "connection_fee", "binary floating point", 'in quotes: "0.15"'),
    "float among prices": Case(P, 'noon: "0.07"', "noon: 0.07", "0.07", V0 + "price.noon", "binary", 'quotes: "0.07"'),
    "price not a number": Case(P, '"1.20"', '"1,20"', '"1,20"', V0 + "price", "is not a number", "in quotes"),
    "price negative": Case(P, '"1.20"', '"-1.20"', '"-1.20"', V0 + "price", "too small", "0 or more"),
    "price too fine": Case(P, "0.000000000001", "0.0000000000001", "0000001", V0 + "tiers.2.price", "decimals", "12"),
    "price too large": Case(P, '"1.20"', '"9000000.1"', "9000000.1", V0 + "price", "too large", "smaller `per`"),
    "price is a list": Case(P, '"1.20"', "[1]", "[1]", V0 + "price", "a list is not a number", "in quotes"),
    "instant without zone": Case(
        P,
        "end: 2027-01-01T00:00:00+01:00",
        "end: 2027-01-01T00:00:00",
        "end: 2027",
        V0 + "end",
        "",
        "2026-01-01T00:00:00Z",
    ),
    "instant a number": Case(
        P, "[{start: 2026-01-01T00:00:00Z", "[{start: 20260101", "20260101", V0 + "start", "", "zone"
    ),
    "quantity without unit": Case(P, "per: 60 s", "per: 60", "per: 60\n", V0 + "per", "has no unit", '"60 s"'),
    "quantity without blank": Case(P, "per: 60 s", "per: 60s", "per: 60s\n", V0 + "per", "not well formed", '"60 s"'),
    "choice": Case(P, "mode: half_even", "mode: halfeven", "halfeven", V0 + "rounding.mode", "", '"half_even"?'),
    "day": Case(P, "[mon, tue]", "[mon, tues]", "[mon, tues]", "bands.0.days.1", "", 'did you mean "tue"?'),
    "clock": Case(P, 'end: "14:15"', 'end: "14:10"', "14:10", "bands.2.end", "not well formed", "quarter"),
    "currency not well formed": Case(A, "bob, currency: EUR", "bob, currency: eur", "eur", "currency", "", "ISO 4217"),
    "too many attributes": Case(
        E, "attributes: [class]", "attributes: [class, b, c, d, e]", "[class, b", "attributes", "too long", "at most 4"
    ),
    "empty list": Case(P, "charges: [toll]", "charges: []", "charges: []", "charges", "too short", "at least 1"),
    "not a list": Case(P, "charges: [toll]", "charges: toll", "charges: toll", "charges", "not a list", "list"),
    "not a whole number": Case(P, "priority: 5", "priority: 5.5", "5.5", "priority", "not a whole number", "whole"),
    "not a boolean": Case(S, "header: false", "header: maybe", "maybe", "header", "neither", "true or false"),
    "number too large": Case(
        P, "decimals: 9", "decimals: 10", "decimals: 10", V0 + "rounding.decimals", "large", "9 or"
    ),
    "number too small": Case(S, "constant: 1", "constant: -1", "-1", "mapping.quantity.constant", "too small", "0 or"),
    "not a mapping inside": Case(S, "{field: time}", "time", "time: time", "mapping.time", "not a mapping", "mapping"),
    # units, event types, counters, calendars
    "unit built in": Case(
        P, "kind: unit", "kind: unit\ncode: kWh\n---\nkind: unit", "code: kWh", "code", "is built in", "rename"
    ),
    "unit unknown": Case(P, "unit: MB", "unit: Mb", "unit: Mb", "unit", "is unknown", 'did you mean "MB"?'),
    "unit unknown, nothing like it": Case(P, "unit: MB", "unit: xyzxyz", "xyzxyz", "unit", "is unknown", "use one of"),
    "attribute twice": Case(
        P, "[destination, network]", "[network, network]", "[network,", "attributes.1", "", "remove"
    ),
    "zone unknown": Case(
        P, "month\nzone: Europe/Paris", "month\nzone: Europe/Pariss", "Pariss", "zone", "", "Europe/Paris"
    ),
    "rest not last": Case(
        P, "{name: full}", "{name: a}\n  - {name: full}", "{name: a}", "bands.3", "not the last", "end"
    ),
    "no rest": Case(
        P, "{name: full}", "{name: full, days: [wed]}", "{name: full", "bands.3", "must be the rest", "add"
    ),
    "band without end": Case(P, ', end: "14:15"', "", '{name: noon, start: "12:00"}', "bands.2.end", "no end", "HH:MM"),
    "band without start": Case(
        P, 'start: "12:00", ', "", '{name: noon, end: "14:15"}', "bands.2.start", "no start", "HH:MM"
    ),
    "band from midnight": Case(
        P, 'start: "12:00"', 'start: "24:00"', "24:00", "bands.2.start", "cannot start", "00:00"
    ),
    "band empty": Case(
        P, 'end: "14:15"', 'end: "12:00"', "name: noon", "bands.2.end", "starts and ends", "leave both out"
    ),
    "day twice": Case(P, "[sat, sun]", "[sat, sat]", "[sat, sat]", "bands.1.days.1", "repeated", "remove"),
    # price plans
    "currency unlisted": Case(
        A, "bob, currency: EUR", "bob, currency: EUX", "EUX", "currency", "does not bill", 'did you mean "EUR"?'
    ),
    "versions overlap": Case(
        P,
        "end: 2027-01-01T00:00:00+01:00",
        "end: 2027-06-01T00:00:00Z",
        "- start: 2027-01-01",
        "versions.1.start",
        "overlaps version 0",
        "end version 0 at 2027-01-01T00:00:00+01:00",
    ),
    "version without end, not last": Case(
        P,
        "    end: 2027-01-01T00:00:00+01:00\n",
        "",
        "- start: 2027-01-01",
        "versions.1.start",
        "has no end",
        "end version",
    ),
    "version backwards": Case(
        P,
        "end: 2027-01-01T00:00:00+01:00",
        "end: 2025-01-01T00:00:00Z",
        "end: 2025",
        V0 + "end",
        "before it starts",
        "after",
    ),
    "version empty": Case(
        P, "end: 2027-01-01T00:00:00+01:00", "end: 2026-01-01T00:00:00Z", "end: 2026", V0 + "end", "is empty", "after"
    ),
    "flat without price": Case(
        P, ', price: "1.20"', "", "per: 0.5 passage}", V0 + "price", "needs price", "add `price"
    ),
    "flat with tiers": Case(
        P, 'price: "1.20"', 'price: "1.20", tiers: [{price: "1"}]', "tiers: [", V0 + "tiers", "no tiers", "graduated"
    ),
    "graduated without tiers": Case(
        P,
        "model: flat\n    per: 1 min\n    price: 0",
        "model: graduated\n    per: 1 min",
        "- start: 2027-01-01",
        "versions.1.tiers",
        "needs tiers",
        "add `tiers",
    ),
    "graduated with price": Case(
        P, "counter: month-data", 'price: "1"', 'price: "1"', V0 + "price", "no price", "model: flat"
    ),
    "tiers do not ascend": Case(P, "up_to: 20 GB", "up_to: 9999 MB", "9999", V0 + "tiers.1.up_to", "not above", "sort"),
    "tiers equal": Case(P, "up_to: 20 GB", "up_to: 10000 MB", "10000", V0 + "tiers.1.up_to", "not above", "sort"),
    "tier open too early": Case(
        P, "up_to: 20 GB, ", "", '{price: "0.0007"}', V0 + "tiers.1.up_to", "only the last", "up_to"
    ),
    "last tier closed": Case(
        P,
        '{price: "0.000000000001"}',
        '{up_to: 1 TB, price: "1"}',
        "1 TB",
        V0 + "tiers.2.up_to",
        "must be open",
        "remove",
    ),
    "too many tiers": Case(
        P,
        '      - {price: "0.000000000001"}\n',
        "      - {up_to: 20001 MB, price: 1}\n"
        + "".join(f"      - {{up_to: {20_002 + step} MB, price: 1}}\n" for step in range(254))
        + "      - {price: 1}\n",
        "10 GB",
        V0 + "tiers",
        "more than 255",
        "fewer",
    ),
    "tier of zero": Case(
        P, "up_to: 10 GB", "up_to: 0 GB", '0 GB, price: "0.001"', V0 + "tiers.0.up_to", "is zero", "above zero"
    ),
    "tier of another dimension": Case(
        P, "up_to: 20 GB", "up_to: 20 h", "20 h", V0 + "tiers.1.up_to", "time, not data", "GB"
    ),
    "per of an unknown unit": Case(
        P, "per: 60 s", "per: 60 sec", "60 sec", V0 + "per", 'unit "sec" is unknown', "one of"
    ),
    "per of zero": Case(P, "per: 60 s", "per: 0 s", "per: 0 s", V0 + "per", "is zero", "above zero"),
    "per too fine": Case(
        P, "per: 60 s", "per: 0.0001 s", "0.0001 s", V0 + "per", "too fine: 1 s has 1000", "fewer decimals"
    ),
    "per too large": Case(P, "per: 60 s", "per: 9999999999999999 h", "9999 h", V0 + "per", "too large", "smaller"),
    "increment of another dimension": Case(
        P, "next: 30 s", "next: 30 MB", "30 MB", V0 + "increments.next", "not time", "min"
    ),
    "increment of zero": Case(
        P, "first: 60 s", "first: 0 s", "first: 0 s", V0 + "increments.first", "is zero", "above"
    ),
    "fee too fine": Case(
        P, '"0.15"', '"0.1500000001"', "0.1500000001", V0 + "connection_fee", "too many decimals", "at most 9"
    ),
    "fee too large": Case(P, '"0.15"', '"9000001"', "9000001", V0 + "connection_fee", "too large", "at most 9000000"),
    "prices without calendar": Case(
        P, "    calendar: peak\n", "", "price: {off", V0 + "price", "need a calendar", "add `cal"
    ),
    "calendar unknown": Case(P, "calendar: peak\n", "calendar: peek\n", "peek", V0 + "calendar", "unknown", '"peak"?'),
    "band without price": Case(
        P, ', noon: "0.07"', "", "price: {off", V0 + "price", '"noon" has no price', "add `noon"
    ),
    "band unknown": Case(P, 'noon: "0.07"', 'non: "0.07"', "non:", V0 + "price.non", 'no band "non"', '"noon"?'),
    "counter unknown": Case(
        P, "counter: month-data", "counter: month", "counter: month\n", V0 + "counter", "", "month-data"
    ),
    "first day of a day": Case(
        P,
        "period: month",
        "period: day\nfirst_day: 15",
        "first_day",
        "first_day",
        "no day of the month",
        "period: month",
    ),
    "counter of another dimension": Case(
        P,
        "unit: MB",
        "unit: h",
        "counter: month-data",
        V0 + "counter",
        "counts time, but the version prices data",
        "data",
    ),
    # charges and offers
    "event type unknown": Case(
        P,
        "code: toll, event_type: toll",
        "code: toll, event_type: tol",
        "event_type: tol,",
        "event_type",
        "",
        '"toll"?',
    ),
    "plan unknown": Case(
        P, "price_plan: toll-plan", "price_plan: toll", "price_plan: toll}", "price_plan", "", "toll-plan"
    ),
    "plan of another dimension": Case(
        P,
        "code: toll, event_type: toll",
        "code: toll, event_type: call",
        "event_type: call, price_plan: toll-plan",
        "price_plan",
        "prices unit/passage",
        "per unit of time",
    ),
    "filter unknown": Case(
        P, "{destination: FR}", "{destinaton: FR}", "destinaton", "filters.destinaton", "no attribute", '"destination"?'
    ),
    "filter on nothing": Case(
        P, "{destination: FR}", '{destination: ""}', '""', "filters.destination", "absent", "remove"
    ),
    "charge unknown": Case(P, "charges: [toll]", "charges: [tolls]", "[tolls]", "charges.0", "unknown", '"toll"?'),
    "charge twice": Case(P, "[call, data-home]", "[call, call]", "[call, call]", "charges.1", "repeated", "remove"),
    "two currencies": Case(
        P,
        "code: data-plan\ncurrency: EUR",
        "code: data-plan\ncurrency: USD",
        "charges: [call, data-home]",
        "charges.1",
        '"data-home" is priced in USD, but "call" in EUR',
        "one offer per currency",
    ),
    # accounts and subscriptions
    "no wallet": Case(
        A, "bob, currency: EUR}", "bob, currency: EUR, wallets: []}", "wallets: []", "wallets", "pay", "add"
    ),
    "two postpaid": Case(
        A,
        "priority: 2}",
        "priority: 2}\n  - {code: x, type: postpaid}",
        "{code: bill",
        "wallets.3.type",
        '"x" is postpaid',
        "one",
    ),
    "wallet twice": Case(
        A, "code: main", "code: bonus, priority: 3", "priority: 3", "wallets.1.code", "repeated", "own code"
    ),
    "balance negative": Case(A, '"10.50"', '"-10.50"', "-10.50", "wallets.0.opening_balance", "negative", "0 or more"),
    "balance too fine": Case(
        A, '"10.50"', '"0.0000000001"', "0.0000000001", "wallets.0.opening_balance", "decimals", "at most 9"
    ),
    "balance too large": Case(
        A, '"10.50"', '"9223372037"', "9223372037", "wallets.0.opening_balance", "large", "9223372036.85"
    ),
    "account unknown": Case(A, "account: bob", "account: bobby", "bobby", "account", "unknown", 'did you mean "bob"?'),
    "offer unknown": Case(
        A, "account: bob\noffer: mobile", "account: bob\noffer: mobil", "mobil\n", "offer", "", '"mobile"?'
    ),
    "currencies differ": Case(
        A,
        "bob, currency: EUR",
        "bob, currency: USD",
        'offer: mobile\naccess_points:\n  - {id: "33600000001", start: 2026-07',
        "offer",
        "billed in USD",
        "an offer in USD",
    ),
    "window backwards": Case(
        A,
        "end: 2026-07-01T00:00:00Z",
        "end: 2025-07-01T00:00:00Z",
        "end: 2025",
        "access_points.0.end",
        "before",
        "after 2026",
    ),
    "windows overlap": Case(
        A,
        "start: 2026-07-01",
        "start: 2026-06-30",
        "start: 2026-06-30",
        "access_points.0.id",
        'belongs to subscription "ada-mobile"',
        "end one of them",
    ),
    "window twice in one subscription": Case(
        A,
        'id: "33600000002"',
        'id: "33600000001"',
        'id: "33600000001", start: 2026-01-01',
        "access_points.0.id",
        'belongs to subscription "bob-mobile"',
        "end one of them",
    ),
    "identifier empty": Case(
        A, 'id: "33600000002"', 'id: ""', 'id: ""', "access_points.1.id", "too short", "at least 1"
    ),
    "reading not energy": Case(
        E, "index: 0 Wh", "index: 0 VA", "0 VA", "access_points.0.opening_readings.1.index", "is not energy", "kWh"
    ),
    "reading twice": Case(
        E,
        "supplier/HC",
        "supplier/HP",
        "index: 0 Wh",
        "access_points.0.opening_readings.1.series",
        "two opening",
        "remove",
    ),
    "table outside": Case(
        A, "tables/subscribers.csv", "../x.csv", "../x.csv", "file", "outside the catalog", "move it"
    ),
    "table absolute": Case(
        A, "tables/subscribers.csv", "/dev/null", "/dev/null", "file", "outside the catalog", "move it"
    ),
    "table absent": Case(A, "tables/subscribers.csv", "x.csv", "x.csv", "file", "cannot be read", "check the name"),
    "table a directory": Case(
        A, "tables/subscribers.csv", "tables", "file: tables", "file", "not a regular file", "replace"
    ),
    "table twice": Case(
        A,
        "file: tables",
        "file: tables/../tables/subscribers.csv\n---\n{kind: subscription_table, file: tables/subscribers.csv}\n"
        "---\nkind: subscription_table\nfile: ./tables",
        "{kind: subscription_table",
        "file",
        "is read already",
        "remove",
    ),
    "table with a NUL in its name": Case(
        A, "tables/subscribers.csv", '"x\\0.csv"', '"x\\0', "file", "no usable path", "rename"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_problem(name: str, tmp_path: Path) -> None:
    assert_told(CASES[name], tmp_path)
