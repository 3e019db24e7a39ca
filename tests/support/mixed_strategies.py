"""Random catalogs in which features meet: ceilings, follow-ups, roll-over, accumulators, triggers, wallets of units, contracts,
exchange, matrices, formulas, shares of values, resellers and shared wallets, each drawn beside the others.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from rating_strategies import DATE_LISTS, calendars, versions
from rating_world import Use, instant

START = "2020-01-01T00:00:00Z"
MARCH = instant("2026-03-28T20:00:00Z")
"""Four hours before the clock changes in Paris, and three days before a month ends."""
HOUR_US = 3_600_000_000
prices = st.integers(0, 300).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")

TYPES: list[dict[str, Any]] = [
    {
        "kind": "event_type", "code": "call", "unit": "s", "attributes": ["zone", "way"],
        "values": {"called": "digits", "size": {"type": "number", "decimals": 2}},
        "lookups": {"area": {"table": "areas", "of": "zone"}},
    },
    {"kind": "event_type", "code": "data", "unit": "kB", "attributes": ["zone"]},
    {"kind": "event_type", "code": "levy", "unit": "event", "attributes": ["where"]},
    {"kind": "lookup_table", "code": "areas", "key": "code", "rows": [{"key": "EU", "code": "near"}, {"key": "US", "code": "far"}]},
    {"kind": "price_matrix", "code": "grid", "columns": {"area": "code", "size": "number"}, "rows": [
        {"area": "near", "price": "0.11", "priority": 1}, {"area": "far", "size": "5..", "price": "0.33", "connection_fee": "0.05"},
        {"size": "..2", "price": "0.7"}]},
    {"kind": "exchange_rates", "code": "bank", "dated": "day", "zone": "America/New_York", "rounding": {"decimals": 4}, "rows": [
        {"pair": "USD/EUR", "rate": "0.9137", "start": START, "end": "2026-03-30T00:00:00Z"},
        {"pair": "USD/EUR", "rate": "0.88", "start": "2026-03-30T00:00:00Z"}]},
    {"kind": "counter", "code": "spent", "unit": "EUR", "function": "amount", "first_day": 15, "shared_by": "account", "notify": ["3 EUR"]},
    {"kind": "counter", "code": "zones", "unit": "s", "by": "zone", "values": ["EU"], "zone": "Europe/Paris"},
]  # fmt: skip
UNIT_OF = {"call": "s", "data": "kB", "levy": "event"}
CONDITIONS = ["zone == 'EU'", "quantity > 60.0", "size > 1.5 || zone == 'US'"]


@st.composite
def _counters(draw: Any) -> dict[str, dict[str, Any]]:
    """Return the counters on which prices run, by event type, and that of peaks."""
    shared = st.sampled_from(["subscription", "subscription", "group", "account", "customer_account"])
    found = {}
    for of, unit in (("call", "s"), ("data", "kB"), ("levy", "event")):
        counter = {
            "kind": "counter", "code": f"count-{of}", "unit": unit, **draw(st.sampled_from([{"period": "day"}, {"period": "month"}, {"period": "month", "first_day": 28}])),
            "zone": draw(st.sampled_from(["UTC", "Europe/Paris"])), "shared_by": draw(shared),
        }  # fmt: skip
        rule = {"of": f"90 {unit}", "periods": 2, "order": draw(st.sampled_from(["oldest_first", "newest_first"]))}
        more = [{}, {"ceiling": f"200 {unit}"}, {"roll_over": rule}] if of != "levy" else [{}, {"ceiling": "3 event"}]
        found[of] = counter | draw(st.sampled_from(more))
    found["peak"] = {"kind": "counter", "code": "peak", "unit": "kB", "period": "day", "function": "max"}
    return found


@st.composite
def _plan(draw: Any, code: str, of: str, calendar: dict[str, Any], counters: dict[str, Any]) -> dict[str, Any]:
    """Return a price plan for usage of an event type."""
    unit, counter = UNIT_OF[of], counters[of]
    shapes = ["usual", "usual", "usual", "units", "dollars"]
    shapes += {"call": ["matrix", "formula", "value"], "data": ["peak"], "levy": []}[of]
    shape, currency = draw(st.sampled_from(shapes if of != "levy" else ["usual", "dollars"])), "EUR"
    version: dict[str, Any]
    if shape == "units":
        currency = unit
        version = {"model": "flat", "per": f"1 {unit}", "price": draw(st.sampled_from(["1", "2"]))}
        version |= draw(st.sampled_from([{}, {"increments": {"first": f"7 {unit}", "next": f"7 {unit}"}}]))
    elif shape == "dollars":
        currency = "USD"
        version = {"model": "flat", "per": f"9 {unit}", "price": draw(prices)}
    elif shape == "matrix":
        version = {"model": "flat", "per": "1 min", "prices": "grid"} | draw(
            st.sampled_from([{}, {"increments": {"first": "60 s", "next": "1 s"}}])
        )
    elif shape == "formula":
        version = {"model": "formula", "formula": draw(st.sampled_from(["quantity * 0.013", "counted / 7.0 + size"]))}
        if "roll_over" not in counter:
            version["counter"] = counter["code"]
        elif "counted" in version["formula"]:
            version["formula"] = "size"
    elif shape == "value":
        version = {"model": "value", "value": "size", "price": "0.029", "free_value": "1", "connection_fee": "0.25"}
    elif shape == "peak":
        version = {
            "model": "graduated",
            "per": "1 kB",
            "counter": "peak",
            "tiers": [{"up_to": "50 kB", "price": "0.1"}, {"price": "0.2"}],
        }
    else:
        version = draw(versions(unit, 60, calendar, counter["code"], prices))
        if "counter" in version and "roll_over" in counter:
            version = {
                "model": "flat",
                "per": f"1 {unit}",
                "price": draw(prices),
                "free": f"90 {unit}",
                "counter": counter["code"],
            }
        if "ceiling" in counter and version.get("crossing") == "split_then_round":
            version["crossing"] = "per_second"
    return {"kind": "price_plan", "code": code, "currency": currency, "versions": [{"start": START} | version]}


@st.composite
def _charge(draw: Any, plan: dict[str, Any], of: str, counters: dict[str, Any]) -> dict[str, Any]:
    """Return the charge of a plan."""
    (version,) = plan["versions"]
    charge: dict[str, Any] = {"kind": "charge", "code": plan["code"], "event_type": of, "price_plan": plan["code"]}
    if of != "levy":
        charge |= {"priority": draw(st.integers(0, 1)), "then_next": draw(st.sampled_from([False, False, True]))}
        charge |= draw(st.sampled_from([{}, {}, {"filters": {"zone": "EU"}}]))
    if of == "call":
        charge |= draw(st.sampled_from([{}, {}, {"condition": draw(st.sampled_from(CONDITIONS))}]))
        charge |= draw(st.sampled_from([{}, {"accumulate": ["zones"]}]))
        trigger = {"event_type": "levy", "quantity": draw(st.sampled_from(["1", "quantity / 100.0", "charged"]))}
        trigger |= draw(st.sampled_from([{}, {"attributes": {"where": "zone"}}, {"subscription": "s2"}]))
        charge |= draw(st.sampled_from([{}, {}, {"triggers": [trigger]}]))
    limited = "ceiling" in counters[of] and version.get("counter") == counters[of]["code"]
    if limited or plan["currency"] in UNIT_OF.values():
        charge["when_used_up"] = draw(st.sampled_from(["next", "next", "refuse"]))
    return charge


@st.composite
def mixed_catalogs(draw: Any) -> list[dict[str, Any]]:
    """Return the documents of a catalog."""
    calendar, counters = draw(calendars("week")), draw(_counters())
    plans, charges = [], []
    for of, most in (("call", 4), ("data", 3), ("levy", 1)):
        for index in range(draw(st.integers(min(2, most), most))):
            plans.append(draw(_plan(f"{of}-{index}", of, calendar, counters)))
            charges.append(draw(_charge(plans[-1], of, counters)))
    codes = [charge["code"] for charge in charges]
    offers = [
        {
            "kind": "offer",
            "code": code,
            "charges": some,
            "exchange_rates": "bank",
            **draw(st.sampled_from([{}, {"accumulate": ["spent"]}])),
        }
        for code, some in (("all", draw(st.permutations(codes))), ("some", codes[::2] + codes[1::4]))
    ]
    money = st.sampled_from(["0", "0.5", "4", "1000"])
    wallets = [
        {"code": "talk", "type": "prepaid", "unit": "s", "opening_balance": draw(st.sampled_from(["0", "45", "500"]))},
        {"code": "pack", "type": "prepaid", "unit": "kB", "opening_balance": draw(st.sampled_from(["10", "130"]))},
        {"code": "gift", "type": "prepaid", "opening_balance": draw(money), **draw(st.sampled_from([{}, {"pays_for": [{"event_type": "call"}]}]))},
        draw(st.sampled_from([
            {"code": "bill", "type": "postpaid"},
            {"code": "cash", "type": "prepaid", "priority": 9, "opening_balance": "6"},
            {"code": "bill", "type": "postpaid", "shared_by": "customer_account"},
        ])),
    ]  # fmt: skip
    others = [
        {"code": "talk", "type": "prepaid", "unit": "s", "opening_balance": "80"},
        {"code": "bill", "type": "postpaid"},
    ]
    hows = [{"percentage": "12.5"}, {"price": "0.19", "charge": codes[0]}, {"event_type": "data", "percentage": "50"}]
    items = [
        how
        for how in draw(st.lists(st.sampled_from(hows), min_size=1, max_size=2, unique_by=str))
        if _applies(how, plans)
    ]
    contract = {"kind": "contract", "code": "deal", "account": "top", "start": "2026-03-29T00:00:00Z", "items": items}
    in_group = any(counter.get("shared_by") == "group" for counter in counters.values())
    resold = {} if in_group else draw(st.sampled_from([{}, {"reseller": {"account": "b", "offer": "some"}}]))
    return [
        *TYPES, *DATE_LISTS, calendar, *counters.values(), *plans, *charges, *offers,
        {"kind": "account", "code": "top", "currency": "EUR", "level": "customer_account"},
        {"kind": "account", "code": "a", "currency": "EUR", "parent": "top", "wallets": wallets},
        {"kind": "account", "code": "b", "currency": "EUR", "parent": "top", "wallets": others},
        {"kind": "subscription", "code": "s0", "account": "a", "offer": "all", "zone": "Europe/Paris", "group": "home", **resold},
        {"kind": "subscription", "code": "s1", "account": "a", "offer": "some", "zone": "UTC", "group": "home"},
        {"kind": "subscription", "code": "s2", "account": "b", "offer": "all", "zone": "Asia/Kathmandu", "group": "home"},
        *([contract] if items and draw(st.booleans()) else []),
    ]  # fmt: skip


def _applies(how: dict[str, Any], plans: list[dict[str, Any]]) -> bool:
    """Return whether a contract may price so: at one price what has one price, in money; a share off what has prices."""
    if "event_type" in how:
        return True
    if "percentage" in how:
        return all(plan["versions"][0]["model"] != "formula" for plan in plans)
    (version,) = plans[0]["versions"]
    return plans[0]["currency"] in ("EUR", "USD") and "price" in version and version["model"] != "value"


def mixed_usage(least: int = 0) -> st.SearchStrategy[list[Use]]:
    """Return usage over five days, of `least` base steps at least; some of it is what b resold, see `sold`."""
    zone = st.sampled_from(["EU", "US", "CH"])
    at = st.builds(
        lambda hour, off: MARCH + hour * HOUR_US + off, st.integers(0, 120), st.sampled_from([0, -1, 17_000_000])
    )
    who = st.sampled_from(["s0", "s0", "s1", "s2", "s0@b"])
    some = st.one_of(
        st.integers(least, 5), st.integers(max(least, -90_000), 400_000), st.integers(0, 6).map(lambda n: n * 60_000)
    )
    call = st.builds(
        lambda who, at, quantity, zone, way, size, called: Use(who, "call", at, quantity, zone | way, size | called),
        who, at, some, st.fixed_dictionaries({}, optional={"zone": zone}),
        st.fixed_dictionaries({}, optional={"way": st.sampled_from(["in", "out"])}),
        st.sampled_from([{"size": 120}, {"size": 700}, {"size": 0}, {}]), st.just({}),
    )  # fmt: skip
    data = st.builds(
        lambda who, at, quantity, zone: Use(who, "data", at, quantity, zone),
        who, at, some, st.fixed_dictionaries({}, optional={"zone": zone}),
    )  # fmt: skip
    return st.lists(st.one_of(call, data), min_size=4, max_size=18)


def sold(uses: list[Use], documents: list[dict[str, Any]]) -> list[Use]:
    """Return usage of the subscriptions that a catalog has: one is there only if b resells s0."""
    resold = any("reseller" in document for document in documents)
    return [use for use in uses if resold or use.subscription != "s0@b"]
