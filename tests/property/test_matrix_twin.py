"""Price matrices against their twin: texts, ranges, prefixes, any, dated rows, priority and then how much a row asks for."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import Problem, UnableToLoadCatalog
from rating.reference_tables import _matches
from schemas.rejection import Reason
from schemas.values import pack_digits

EXAMPLES = 40 if config.DISABLE_JIT else 150
ZONES = ["EU", "US", "XX"]
NUMBERS = ["-1", "0", "0.5", "1", "2.25", "10", "10000000000", "900000000000000000"]
DATES = ["2026-01-01", "2026-02-28", "2026-03-01"]
TIMES = ["2026-01-01T00:00:00Z", "2026-03-01T00:00:00+01:00"]
PREFIXES = ["1", "10", "100", "12", "1*", "10*", "2*", "100*"]
COLUMNS = {"zone": "code", "way": "code", "size": "number", "day": "date", "called": "digits", "at": "instant"}
PARTIES: list[dict[str, Any]] = [
    {
        "kind": "event_type", "code": "call", "unit": "s", "attributes": ["way", "zone"],
        "values": {"called": "digits", "size": {"type": "number", "decimals": 1}, "day": "date", "at": "instant"},
    },
    {"kind": "charge", "code": "charge", "event_type": "call", "price_plan": "plan"},
    {"kind": "offer", "code": "offer", "charges": ["charge"]},
    {"kind": "account", "code": "acme", "currency": "EUR"},
    {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
]  # fmt: skip


def ranges(ends: list[str]) -> st.SearchStrategy[str]:
    """Return ranges between some of the ends, and single ones."""
    return st.one_of(
        st.sampled_from(ends),
        st.sampled_from([f"..{end}" for end in ends] + [f"{end}.." for end in ends]),
        st.sampled_from([f"{low}..{high}" for place, low in enumerate(ends) for high in ends[place + 1 :]]),
    )


CELLS: dict[str, st.SearchStrategy[str]] = {
    "zone": st.sampled_from(ZONES[:2]),
    "way": st.sampled_from(["in", "out"]),
    "size": ranges(NUMBERS),
    "day": ranges(DATES),
    "called": st.sampled_from(PREFIXES),
    "at": ranges(TIMES),
}


@st.composite
def matrices(draw: Any) -> dict[str, Any]:
    """Return a matrix of a few columns; each row has a priority of its own, or none."""
    names = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4, unique=True))
    rows = []
    for number in range(draw(st.integers(1, 10))):
        row = {name: draw(st.one_of(st.sampled_from(["*", "*"]), CELLS[name])) for name in names}
        row = {name: cell for name, cell in row.items() if cell != "*" or draw(st.booleans())}
        row["price"] = f"{number + 1}"
        if draw(st.booleans()):
            row["priority"] = str(draw(st.integers(0, 200)))
        row |= draw(st.sampled_from([{}, {}, {}, {"start": TIMES[0]}, {"end": TIMES[1]}, {"connection_fee": "0.5"}]))
        rows.append(row)
    return {"kind": "price_matrix", "code": "matrix", "columns": {name: COLUMNS[name] for name in names}, "rows": rows}


def documents_of(matrix: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the documents of a plan with prices from a matrix; columns that no row has are asked for by one."""
    missing = [name for name in matrix["columns"] if not any(name in row for row in matrix["rows"])]
    rows = [{**dict.fromkeys(missing, "*"), **row} if place == 0 else row for place, row in enumerate(matrix["rows"])]
    version = {"start": "2000-01-01T00:00:00Z", "model": "flat", "per": "1 min", "prices": "matrix"}
    plan = {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]}
    return [*PARTIES, matrix | {"rows": rows}, plan]


uses = st.builds(
    lambda at, zone, way, values: Use(
        "line", "call", at, 60_000,
        attributes={name: code for name, code in (("zone", zone), ("way", way)) if code},
        values={name: value for name, value in values.items() if value is not None},
    ),
    st.sampled_from([instant(text) + off for text in TIMES for off in (-1, 0)]),
    st.sampled_from([*ZONES, None]),
    st.sampled_from(["in", "out", "other", None]),
    st.fixed_dictionaries(
        {
            "size": st.sampled_from([None, -10, -5, 0, 5, 9, 10, 22, 23, 99, 100, 101, 10**11, 2**62]),
            "day": st.sampled_from([None, 20_453, 20_454, 20_512, 20_513]),
            "called": st.sampled_from([None, *(pack_digits(text) for text in ("", "1", "10", "100", "1000", "12", "20"))]),
            "at": st.sampled_from([None, *(instant(text) + off for text in TIMES for off in (-1, 0))]),
        }
    ),
)  # fmt: skip


POINTS: dict[str, list[Any]] = {
    "zone": ZONES,
    "way": ["in", "out", "other"],
    "size": [*(Decimal(hundredths) / 100 for hundredths in range(-200, 1200, 5)), 10**10, 10**17, 9 * 10**17, 10**18],
    "day": [date(2025, 12, 31), *(date.fromisoformat(text) + timedelta(days=off) for text in DATES for off in (0, 1))],
    "called": ["", "1", "10", "100", "1000", "12", "20"],
    "at": [instant(text) + off for text in TIMES for off in (-1, 0)],
}


def rank(row: dict[str, str]) -> tuple[int, int]:
    """Return by what rows are ordered."""
    return int(row.get("priority", 100)), sum(row.get(name, "*") != "*" for name in COLUMNS)


def some_usage_matches(one: dict[str, str], other: dict[str, str], columns: dict[str, str]) -> bool:
    """Return whether two rows may match the same usage: some point of each column, and some time."""
    cells = [([None if row.get(name, "*") == "*" else row[name] for row in (one, other)], name) for name in columns]
    both = all(
        any(all(_matches(cell, point, columns[name]) for cell in pair) for point in POINTS[name])
        for pair, name in cells
    )
    starts = [row.get("start", TIMES[0]) for row in (one, other)]
    ends = [row.get("end", "2030-01-01T00:00:00Z") for row in (one, other)]
    return both and max(map(instant, starts)) < min(map(instant, ends))


@settings(max_examples=EXAMPLES)
@given(matrix=matrices(), usage=st.lists(uses, min_size=8, max_size=20))
def test_the_best_row_prices_or_the_catalog_is_refused(matrix: dict[str, Any], usage: list[Use]) -> None:
    catalog = None
    problems: tuple[Problem, ...] = ()
    try:
        catalog = catalog_from(*yaml_of(documents_of(matrix)))
    except UnableToLoadCatalog as error:
        problems = error.problems
    assert all("match the same usage" in problem.message for problem in problems)
    assert (catalog is None) == any(
        rank(one) == rank(other) and some_usage_matches(one, other, matrix["columns"])
        for one, other in combinations(matrix["rows"], 2)
    )
    if catalog is None:
        return
    world = World(catalog)
    items = world.items(world.rate(usage))
    assert items == world.rate_twin(usage)
    assert {item.reason for item in items} <= {Reason.NONE, Reason.NO_MATRIX_PRICE}


@settings(max_examples=EXAMPLES)
@given(matrix=matrices(), usage=st.lists(uses, min_size=8, max_size=20))
def test_rows_in_another_order_price_the_same(matrix: dict[str, Any], usage: list[Use]) -> None:
    for place, row in enumerate(matrix["rows"]):
        row["priority"] = str(place)  # no two rows have one rank
    one, other = (
        World(catalog_from(*yaml_of(documents_of(matrix | {"rows": rows}))))
        for rows in (matrix["rows"], matrix["rows"][::-1])
    )
    assert one.rate(usage).amount.tolist() == other.rate(usage).amount.tolist()


def test_priority_comes_first_and_then_how_much_a_row_asks_for() -> None:
    rows = [
        {"price": "1"},
        {"zone": "EU", "price": "2"},
        {"zone": "EU", "way": "in", "price": "3"},
        {"way": "out", "priority": "7", "price": "4"},
        {"zone": "US", "way": "out", "price": "5"},
        {"zone": "EU", "way": "in", "price": "6", "start": TIMES[1], "priority": "99"},
        {"zone": "XX", "way": "in"},
    ]
    matrix = {"kind": "price_matrix", "code": "matrix", "columns": {"zone": "code", "way": "code"}, "rows": rows}
    world = World(catalog_from(*yaml_of(documents_of(matrix))))

    def amount(at: str, **attributes: str) -> int:
        return int(world.rate([Use("line", "call", instant(at), 60_000, attributes=attributes)]).amount[0]) // 10**9

    early, late = TIMES
    assert amount(early) == 1
    assert amount(early, zone="EU") == 2
    assert amount(early, zone="EU", way="in") == 3
    assert amount(late, zone="EU", way="in") == 6
    assert amount(early, zone="US", way="out") == 4
    assert amount(early, zone="XX", way="in") == 1  # a row without a price is none


def test_ranges_that_meet_do_not_overlap() -> None:
    rows = [{"size": f"{low}..{high}", "price": "1"} for low, high in pairwise(NUMBERS)]
    matrix = {"kind": "price_matrix", "code": "matrix", "columns": {"size": "number"}, "rows": rows}
    world = World(catalog_from(*yaml_of(documents_of(matrix))))
    rated = world.rate(
        [Use("line", "call", instant(TIMES[0]), 60_000, values={"size": size}) for size in (-11, -10, 99, 2**62)]
    )
    assert rated.reason.tolist() == [308, 0, 0, 0]
