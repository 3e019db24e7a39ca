"""Whole random catalogs, as documents, and usage that looks for their edges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from rating_world import Use, instant

ZONES = ("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
BORDERS = [
    instant(text)
    for text in (
        "2025-01-01T00:00:00+01:00",
        "2026-03-29T01:00:00Z",  # summer time starts in Paris
        "2026-03-08T07:00:00Z",  # and in New York
        "2026-04-04T15:00:00Z",  # and ends on Lord Howe, by half an hour
        "2026-10-25T01:00:00Z",
        "2026-05-01T00:00:00Z",
        "2026-05-01T00:00:00+02:00",
        "2026-07-01T00:00:00Z",
        "2027-01-01T00:00:00-05:00",
    )
]
START, MIDDLE, END = "2024-01-01T00:00:00Z", "2026-05-01T00:00:00Z", "2026-07-01T00:00:00+02:00"
HOUR_US = 3_600_000_000
LARGE = 2**62

decimals_text = st.one_of(
    st.sampled_from(["0", "0.1", "0.12", "1", "0.0005", "0.000000000001", "8999999.999999999999", "33.333333333333"]),
    st.integers(0, 10**14).map(lambda digits: f"{digits // 10**12}.{digits % 10**12:012d}"),
)
clock = st.builds(lambda hour, quarter: f"{hour:02d}:{quarter * 15:02d}", st.integers(0, 23), st.integers(0, 3))
days = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1, max_size=4, unique=True)


@st.composite
def calendars(draw: Any, code: str) -> dict[str, Any]:
    """Return a calendar of up to three bands and the rest, often with day types and seasons."""
    calendar: dict[str, Any] = {
        "kind": "calendar",
        "code": code,
        "zone": draw(st.sampled_from([*ZONES, "subscription"])),
    }
    if draw(st.booleans()):
        calendar["day_types"] = {"holiday": ["public", "school"], "red": ["red"]}
    if draw(st.booleans()):
        calendar["seasons"] = draw(st.sampled_from(SEASONS))
    bands: list[dict[str, Any]] = []
    for index in range(draw(st.integers(0, 3))):
        # two bands of one name are one price, and no border between them
        band: dict[str, Any] = {"name": draw(st.sampled_from([f"b{index}", f"b{index}", "b0"]))}
        shape = draw(st.sampled_from(["days", "times", "both", "seasons"]))
        if shape in ("days", "both"):
            band["days"] = draw(days) + (draw(st.sampled_from([[], ["holiday"], ["red"]])) * ("day_types" in calendar))
        if shape == "seasons" and "seasons" in calendar:
            band["seasons"] = [draw(st.sampled_from(sorted(calendar["seasons"])))]
        if shape in ("times", "both") or len(band) == 1:
            start, end = draw(st.lists(clock, min_size=2, max_size=2, unique=True))
            band |= {"start": start, "end": end}
        bands.append(band)
    return {**calendar, "bands": [*bands, {"name": "rest"}]}


DATE_LISTS: list[dict[str, Any]] = [
    {"kind": "date_list", "code": "public", "yearly": ["01-01", "05-01", "02-29"], "easter": [1, 39]},
    {"kind": "date_list", "code": "school", "dates": ["2026-05-02", "2026-03-29"]},
    {"kind": "date_list", "code": "red", "dates": ["2026-03-08", "2026-05-01", "2027-01-01"]},
]
SEASONS: list[dict[str, Any]] = [
    {"winter": [{"first": "11-01", "last": "03-31"}]},
    {"spring": [{"first": "02-29", "last": "05-31"}], "other": [{"first": "01-01", "last": "12-31"}]},
    {"edges": [{"first": "05-01", "last": "05-01"}, {"first": "12-31", "last": "01-01"}]},
]
MID = {"period": "month", "first_day": 15}
SHARED = ("group", "account", "billing_account", "customer_account", "customer")
# from every billing account an account of each level above is reached
TREES: list[dict[str, dict[str, str]]] = [
    {
        "a": {"level": "user_account", "parent": "bill"},
        "b": {"parent": "pay"},
        "bill": {"parent": "pay"},
        "pay": {"level": "customer_account", "parent": "all"},
        "all": {"level": "customer"},
    },
    {
        "a": {"parent": "pay-a"},
        "b": {"parent": "pay-b"},
        "pay-a": {"level": "customer_account", "parent": "all"},
        "pay-b": {"level": "customer_account", "parent": "all-b"},
        "all": {"level": "customer"},
        "all-b": {"level": "customer"},
    },
]
TIERED = ("graduated", "volume", "stair_step")
LIMITS = [{"floor": "0.01"}, {"cap": "2"}, {"floor": "0.1", "cap": "0.1"}, {"floor": "0.5", "cap": "8999999"}, {}, {}]


@st.composite
def versions(
    draw: Any, unit: str, scale: int, calendar: dict[str, Any], counter: str, prices: Any = decimals_text
) -> dict[str, Any]:
    """Return a price version without its dates. Quantities are written in `unit`, `scale` of which make a usual one."""
    timed, counted = draw(st.booleans()), draw(st.integers(0, 3)) > 0
    model = draw(st.sampled_from(["flat", "graduated", "volume", "package", "stair_step", "event"]))
    names = list(dict.fromkeys(band["name"] for band in calendar["bands"])) if timed else []

    def price() -> Any:
        if names and draw(st.booleans()):
            return {name: draw(prices) for name in names}
        return draw(prices)

    def amount_of(most: int) -> str:
        return f"{draw(st.integers(1, most))} {unit}"

    version: dict[str, Any] = {"model": model}
    if model not in ("stair_step", "event"):
        version["per"] = draw(st.sampled_from([f"1 {unit}", f"{scale} {unit}", f"7 {unit}"]))
    if model in TIERED:
        version |= draw(tiers(model, unit, scale, price, counted=counted))
    else:
        version["price"] = price()
    if model in ("flat", "package") and draw(st.booleans()):
        version["free"] = amount_of(2 * scale)
    if model == "package":
        version["blocks"] = draw(st.sampled_from(["up", "down"]))
    if timed:
        version["calendar"] = calendar["code"]
    if counted:
        version["counter"] = counter
    stepped = any("increment" in tier for tier in version.get("tiers", ()))
    if not stepped and draw(st.booleans()):
        version["increments"] = {"first": amount_of(2 * scale), "next": amount_of(scale)}
        if draw(st.booleans()):
            version["increments"]["mode"] = draw(st.sampled_from(["half_up", "half_even", "up", "down"]))
    if timed and unit == "s" and model in ("flat", "graduated", "volume"):
        crossings = ["start", "each_increment", "per_second", *([] if stepped else ["split_then_round"])]
        version["crossing"] = draw(st.sampled_from(crossings))
    if draw(st.integers(0, 3)) == 0:
        version["minimum_quantity"] = amount_of(2 * scale)
    if draw(st.booleans()):
        version["connection_fee"] = draw(st.sampled_from(["0", "0.05", "0.000000001", "8999999.999999999"]))
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["half_up", "half_even", "up", "down"]))
        version["rounding"] = {"mode": mode, "decimals": draw(st.integers(0, 9))}
    if model in ("flat", "graduated", "volume") and draw(st.integers(0, 3)) == 0:
        version["rounding"] = version.get("rounding", {}) | draw(price_roundings(version, unit))
    if version.get("rounding", {}).get("decimals", 6) >= 2:
        version |= draw(st.sampled_from(LIMITS))
    chargeable = model == "event" or (model in TIERED and not counted)
    if chargeable and draw(st.booleans()):
        version["zero_usage"] = "charged"
    return version


@st.composite
def price_roundings(draw: Any, version: dict[str, Any], unit: str) -> dict[str, Any]:
    """Return what rounds the prices of a version before they price anything: of a unit, or of the increments that it has."""
    how = {"decimals": draw(st.integers(0, 12)), "mode": draw(st.sampled_from(["half_up", "half_even", "up", "down"]))}
    found = version.get("tiers", [version])
    written = [one["price"] for one in found]
    prices = [price for each in written for price in (each.values() if isinstance(each, dict) else [each])]
    increments = version.get("increments")
    if any(float(price) > 100 for price in prices) or draw(st.booleans()):
        return {"unit_price": {"per": f"1 {unit}", **how}}
    if increments is not None:
        increments["first"] = increments["next"]
    return {"increment": how} if increments is not None or any("increment" in one for one in found) else {}


@st.composite
def tiers(draw: Any, model: str, unit: str, scale: int, price: Any, *, counted: bool) -> dict[str, Any]:
    """Return the fields of a version that make its tiers."""
    bounds = sorted(draw(st.lists(st.integers(1, 4 * scale), max_size=3, unique=True)))
    found: list[dict[str, Any]] = [*({"up_to": f"{bound} {unit}"} for bound in bounds), {}]
    if model != "stair_step":
        for tier in found:
            tier["price"] = price()
    if model == "stair_step" or (draw(st.booleans()) and not (model == "volume" and counted)):
        amounts = draw(st.lists(st.sampled_from(["0", "0.5", "10", "999999.999999999"]), min_size=4, max_size=4))
        if counted:
            amounts.sort(key=float)
        for tier, amount in zip(found, amounts, strict=False):
            tier["amount"] = amount
    if model == "graduated" and not counted and draw(st.booleans()):
        lows = [0, *bounds]
        for tier, low, high in zip(found, lows, [*bounds, None], strict=True):
            length = scale if high is None else high - low
            tier["increment"] = f"{draw(st.sampled_from([n for n in range(1, length + 1) if length % n == 0]))} {unit}"
    bound = {} if model == "graduated" else {"bounds": draw(st.sampled_from(["exclusive", "inclusive"]))}
    return {"tiers": found, **bound}


@st.composite
def catalogs(draw: Any) -> list[dict[str, Any]]:
    """Return the documents of a catalog: two event types, every pricing shape, several wallets and offers."""
    event_types = [
        {"kind": "event_type", "code": "call", "unit": "s", "attributes": ["zone", "way"]},
        {"kind": "event_type", "code": "data", "unit": "kB"},
    ]
    calendar = draw(calendars("week"))
    counters = [
        {
            "kind": "counter",
            "code": f"count-{event_type}",
            "unit": unit,
            **draw(
                st.sampled_from([{"period": "day"}, {"period": "month"}, MID, {"period": "year"}, {"period": "ever"}])
            ),
            "zone": draw(st.sampled_from(ZONES)),
            "shared_by": draw(st.sampled_from(["subscription", "subscription", *SHARED])),
        }
        for event_type, unit in (("call", "min"), ("data", "MB"))
    ]
    plans = []
    for event_type, unit, scale in (("call", "s", 60), ("data", "kB", 1000)):
        for index in range(draw(st.integers(1, 2))):
            dated = [
                {"start": start}
                | ({"end": end} if end else {})
                | draw(versions(unit, scale, calendar, f"count-{event_type}"))
                for start, end in draw(
                    st.sampled_from(
                        [[(START, None)], [(START, MIDDLE), (MIDDLE, None)], [(START, MIDDLE), (MIDDLE, END)]]
                    )
                )
            ]
            plans.append({"kind": "price_plan", "code": f"{event_type}-{index}", "currency": "EUR", "versions": dated})
    charges = [
        {
            "kind": "charge",
            "code": f"charge-{index}",
            "event_type": plan["code"].partition("-")[0],
            "priority": draw(st.integers(0, 1)),
            "price_plan": plan["code"],
            "filters": draw(st.sampled_from([{}, {"zone": "EU"}, {"zone": "EU", "way": "in"}, {"way": "out"}]))
            if plan["code"].startswith("call")
            else {},
        }
        for index, plan in enumerate(plans)
    ]
    codes = [charge["code"] for charge in charges]
    offers = [
        {"kind": "offer", "code": "all", "charges": draw(st.permutations(codes))},
        {"kind": "offer", "code": "some", "charges": draw(st.lists(st.sampled_from(codes), min_size=1, unique=True))},
    ]
    tree = draw(st.sampled_from(TREES))
    accounts = [
        draw(accounts_of(code, PAYS_FOR, _levels_above(code, tree))) | tree.get(code, {})
        for code in ("a", "b", *sorted(tree.keys() - {"a", "b"}))
    ]
    subscriptions = [
        {
            "kind": "subscription",
            "code": f"s{index}",
            "account": account,
            "offer": offer,
            "zone": draw(st.sampled_from(ZONES)),
            "group": draw(st.sampled_from(["home", "work"])),
        }
        for index, (account, offer) in enumerate([("a", "all"), ("a", "some"), ("b", "all")])
    ]
    return [*event_types, *DATE_LISTS, calendar, *counters, *plans, *charges, *offers, *accounts, *subscriptions]


def _levels_above(code: str, tree: dict[str, dict[str, str]]) -> list[str]:
    """Return the levels of an account and of those above it."""
    levels, at = [], code
    while at:
        levels.append(tree.get(at, {}).get("level", "billing_account"))
        at = tree.get(at, {}).get("parent", "")
    return levels


PAYS_FOR: list[list[dict[str, str]]] = [
    [{"event_type": "call"}],
    [{"event_type": "data"}, {"event_type": "call", "condition": "zone == 'EU'"}],
    [{"offer": "some"}, {"charge": "charge-0"}],
    [{"price_plan": "call-0", "event_type": "call"}],
]


@st.composite
def accounts_of(
    draw: Any, code: str, pays_for: Sequence[list[dict[str, str]]] = (), levels: Sequence[str] = ()
) -> dict[str, Any]:
    """Return an account of some wallets, some of which pay for something of `pays_for` only."""
    balances = draw(st.lists(st.sampled_from(["0", "0.01", "1", "2.5", "1000000000"]), max_size=3))
    wallets = [
        {"code": f"w{index}", "type": "prepaid", "priority": draw(st.integers(0, 1)), "opening_balance": balance}
        for index, balance in enumerate(balances)
    ]
    if not wallets or draw(st.booleans()):
        wallets.append({"code": "credit", "type": "postpaid"})
    if pays_for and draw(st.booleans()):
        wallets = [
            wallet | draw(st.sampled_from([{}, {"pays_for": draw(st.sampled_from(pays_for))}])) for wallet in wallets
        ]
    shared_by = draw(st.sampled_from(["account", *levels]))
    if shared_by != "account":
        wallets = [wallet | {"shared_by": draw(st.sampled_from([shared_by, "account"]))} for wallet in wallets]
    return {"kind": "account", "code": code, "currency": "EUR", "wallets": wallets}


def yaml_of(documents: list[dict[str, Any]]) -> list[str]:
    """Return documents as YAML (of which JSON is a part)."""
    return [json.dumps(document) for document in documents]


quantities = st.one_of(
    st.integers(0, 5),
    st.integers(0, 600_000),
    st.integers(0, 3 * 86_400_000),
    st.sampled_from([35 * 86_400_000, 35 * 86_400_000 + 1, 20 * 86_400_000]),
    st.integers(0, 100).map(lambda count: count * 60_000),
    st.sampled_from([LARGE, LARGE - 1, LARGE // 2, 10**15]),
)
instants = st.one_of(
    st.builds(
        lambda border, off: border + off, st.sampled_from(BORDERS), st.sampled_from([-1, 0, 1, -HOUR_US, HOUR_US])
    ),
    st.integers(instant("2025-12-01T00:00:00Z"), instant("2026-09-01T00:00:00Z")),
)
calls = st.builds(
    Use,
    subscription=st.sampled_from(["s0", "s1", "s2"]),
    event_type=st.just("call"),
    at=instants,
    quantity=quantities,
    attributes=st.fixed_dictionaries(
        {}, optional={"zone": st.sampled_from(["EU", "US"]), "way": st.sampled_from(["in", "out"])}
    ),
)
downloads = st.builds(
    Use, subscription=st.sampled_from(["s0", "s1", "s2"]), event_type=st.just("data"), at=instants, quantity=quantities
)
usage = st.lists(st.one_of(calls, downloads), min_size=5, max_size=40)
