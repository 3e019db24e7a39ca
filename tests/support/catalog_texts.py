"""A small catalog with a document of every kind, as text, for tests that load it or break it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PLANS = """\
kind: unit
code: passage
decimals: 2
---
kind: event_type
code: call
unit: s
attributes: [destination, network]
---
kind: event_type
code: data
unit: B
attributes: [destination]
---
kind: event_type
code: toll
unit: passage
---
kind: counter
code: month-data
unit: MB
period: month
zone: Europe/Paris
---
kind: calendar
code: peak
zone: Europe/Paris
bands:
  - {name: off, days: [mon, tue], start: 22:00, end: 06:00}
  - {name: off, days: [sat, sun]}
  - {name: noon, start: "12:00", end: "14:15"}
  - {name: full}
---
kind: price_plan
code: call-plan
currency: EUR
versions:
  - start: 2026-01-01T00:00:00Z
    end: 2027-01-01T00:00:00+01:00
    model: flat
    per: 60 s
    price: {off: "0.05", noon: "0.07", full: "0.1"}
    calendar: peak
    increments: {first: 60 s, next: 30 s}
    connection_fee: "0.15"
  - start: 2027-01-01T00:00:00+01:00
    model: flat
    per: 1 min
    price: 0
---
kind: price_plan
code: data-plan
currency: EUR
versions:
  - start: 2026-01-01T00:00:00Z
    model: graduated
    per: 1 MB
    counter: month-data
    tiers:
      - {up_to: 10 GB, price: "0.001"}
      - {up_to: 20 GB, price: "0.0007"}
      - {price: "0.000000000001"}
    rounding: {mode: half_even, decimals: 9}
---
kind: price_plan
code: toll-plan
currency: EUR
versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 0.5 passage, price: "1.20"}]
---
{kind: charge, code: call, event_type: call, price_plan: call-plan}
---
kind: charge
code: data-home
event_type: data
price_plan: data-plan
filters: {destination: FR}
priority: 5
---
{kind: charge, code: toll, event_type: toll, price_plan: toll-plan}
---
{kind: offer, code: mobile, charges: [call, data-home]}
---
{kind: offer, code: road, charges: [toll]}
"""

PARTIES = """\
kind: account
code: ada
currency: EUR
wallets:
  - {code: bonus, type: prepaid, priority: 1, opening_balance: "10.50"}
  - {code: main, type: prepaid, priority: 2}
  - {code: bill, type: postpaid}
---
{kind: account, code: bob, currency: EUR}
---
kind: subscription
code: ada-mobile
account: ada
offer: mobile
access_points:
  - {id: "33600000001", start: 2026-01-01T00:00:00Z, end: 2026-07-01T00:00:00Z}
---
kind: subscription
code: bob-mobile
account: bob
offer: mobile
access_points:
  - {id: "33600000001", start: 2026-07-01T00:00:00Z}
  - id: "33600000002"
---
kind: subscription_table
file: tables/subscribers.csv
"""

TABLE = """\
account,currency,subscription,offer,access_point,start,end,prepaid_balance,postpaid
t1,EUR,t1-mobile,mobile,33700000001,2026-01-01T00:00:00Z,,,
t2,EUR,t2-mobile,mobile,33700000002,,2027-01-01T00:00:00+01:00,12.5,false
t3,EUR,t3-road,road,plate-3,,,0,true
"""

ENERGY = """\
{kind: event_type, code: energy, unit: kWh, attributes: [class]}
---
kind: price_plan
code: night
currency: EUR
versions:
  - {start: 2026-01-01T00:00:00Z, model: flat, per: 1 kWh, price: "0.1828"}
---
{kind: charge, code: night, event_type: energy, price_plan: night, filters: {class: HC}}
---
{kind: offer, code: blue, charges: [night]}
---
{kind: account, code: house, currency: EUR}
---
kind: subscription
code: house
account: house
offer: blue
access_points:
  - id: "12345678901234"
    opening_readings:
      - {series: supplier/HP, at: 2026-01-01T00:00:00Z, index: 100.5 kWh}
      - {series: supplier/HC, at: 2026-01-01T00:00:00Z, index: 0 Wh}
---
{kind: source, code: r151, format: r151, grid: distributor, event_type: energy}
"""

SOURCES = """\
kind: source
code: cdr
format: delimited
delimiter: ";"
header: false
columns: [id, msisdn, at, type, volume, dest]
mapping:
  identity: [id, msisdn]
  access_point: msisdn
  time: {field: at, zone: Europe/Paris}
  quantity: {field: volume, unit: min}
  event_type: {field: type, values: {V: call, 1: call, no: call}}
  attributes: {destination: dest}
  filters: [{field: type, keep: [V, "1"]}]
---
kind: source
code: usage
format: delimited
mapping:
  identity: [id]
  access_point: device
  time: {field: at, format: epoch_ms}
  quantity: {constant: 1}
  event_type: {constant: toll}
---
kind: source
code: events
format: cloudevents
mapping:
  identity: [source, id]
  access_point: subject
  time: {field: time}
  quantity: {field: data.bytes, unit: KiB}
  event_type: {field: type, values: {org.example.data: data}}
"""

CATALOG: dict[str, str] = {
    "energy/energy.yml": ENERGY,
    "parties.yaml": PARTIES,
    "plans.yaml": PLANS,
    "sources.yaml": SOURCES,
    "tables/subscribers.csv": TABLE,
}


def write_catalog(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a directory, which is returned."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


def line_of(text: str, part: str) -> int:
    """Return the line on which `part` begins, which must be in the text once."""
    assert text.count(part) == 1, f"{part!r} is in the text {text.count(part)} times"
    return text[: text.index(part)].count("\n") + 1
