"""Laws of loading: what is written is what is read, and what loads compiles."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from catalog_texts import write_catalog
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.rules_pricing import PRICE_MAX
from billing.catalog.store import load_catalog
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary
from schemas.account import Account, Wallet
from schemas.catalog import Catalog
from schemas.price_plan import Calendar, Counter, Increments, PricePlan, PriceRounding, PriceVersion, Tier

BANDS = ("night", "noon", "rest")
CALENDAR = Calendar.model_validate(
    {
        "kind": "calendar",
        "code": "week",
        "zone": "Europe/Paris",
        "bands": [
            {"name": "night", "start": "22:00", "end": "06:00"},
            {"name": "noon", "days": ["mon"], "start": "12:00", "end": "24:00"},
            {"name": "rest"},
        ],
    }
)
COUNTER = Counter(kind="counter", code="used", unit="h", period="day", zone="Asia/Tokyo")
UNITS = ("ms", "s", "min", "h")

prices = st.decimals(0, PRICE_MAX, places=12) | st.integers(0, int(PRICE_MAX)).map(Decimal)
prices |= st.sampled_from([Decimal(0), PRICE_MAX, Decimal("1E-12"), PRICE_MAX - Decimal("1E-12")])
banded = prices | st.fixed_dictionaries({band: prices for band in BANDS})
quantities = st.builds("{} {}".format, st.integers(1, 10**9), st.sampled_from(UNITS))
instants = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


@st.composite
def price_versions(draw: st.DrawFn, start: datetime, end: datetime | None) -> PriceVersion:
    """A version that is valid in itself."""
    price = banded if draw(st.booleans()) else prices
    flat = draw(st.booleans())
    bounds = sorted(draw(st.sets(st.integers(1, 10**12), max_size=4)))
    tiers = (*(Tier(up_to=f"{bound} ms", price=draw(price)) for bound in bounds), Tier(price=draw(price)))
    return PriceVersion(
        start=start,
        end=end,
        model="flat" if flat else "graduated",
        per=draw(quantities),
        price=draw(price) if flat else None,
        tiers=None if flat else tiers,
        counter=draw(st.sampled_from([None, "used"])),
        increments=draw(st.none() | st.builds(Increments, first=quantities, next=quantities)),
        connection_fee=draw(st.none() | st.decimals(0, PRICE_MAX, places=9)),
        calendar="week",
        rounding=draw(
            st.builds(
                PriceRounding, mode=st.sampled_from(list(PriceRounding().mode.__class__)), decimals=st.integers(0, 9)
            )
        ),
    )


@st.composite
def price_plans(draw: st.DrawFn) -> PricePlan:
    """A plan of up to three versions one after the other."""
    starts = sorted(draw(st.sets(instants, min_size=1, max_size=3)))
    ends = [start - draw(st.sampled_from([timedelta(0), timedelta(microseconds=1)])) for start in starts[1:]]
    last = draw(st.sampled_from([None, datetime(2100, 1, 1, tzinfo=UTC)]))
    versions = tuple(
        draw(price_versions(*pair)) for pair in zip(starts, [*ends, last], strict=True) if pair[0] != pair[1]
    )
    return PricePlan(kind="price_plan", code="plan", currency="EUR", versions=draw(st.permutations(versions)))


balances = st.integers(0, 2**63 - 1).map(lambda units: Decimal(units).scaleb(-9))


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """An account with one to four wallets, at most one of them postpaid."""
    wallets = [
        Wallet(code=f"w{n}", type="prepaid", priority=draw(st.integers(0, 1000)), opening_balance=draw(balances))
        for n in range(draw(st.integers(0, 3)))
    ]
    if not wallets or draw(st.booleans()):
        wallets.append(Wallet(code="bill", type="postpaid"))
    return Account(kind="account", code="ada", currency="EUR", wallets=tuple(wallets))


def as_yaml(*documents: Any) -> str:
    return yaml.safe_dump_all(
        [
            document if isinstance(document, dict) else document.model_dump(mode="json", exclude_none=True)
            for document in documents
        ],
        sort_keys=False,
    )


FIXED = (
    {"kind": "event_type", "code": "call", "unit": "s"},
    {"kind": "charge", "code": "call", "event_type": "call", "price_plan": "plan"},
    {"kind": "offer", "code": "mobile", "charges": ["call"]},
    {"kind": "subscription", "code": "s", "account": "ada", "offer": "mobile"},
)


def load(*documents: Any) -> Catalog:
    with tempfile.TemporaryDirectory() as folder:
        return load_catalog(write_catalog(Path(folder), {"catalog.yaml": as_yaml(*FIXED, *documents)}))


@settings(max_examples=60)
@given(price_plans(), accounts())
def test_what_is_written_is_read_and_compiles(plan: PricePlan, account: Account) -> None:
    catalog = load(CALENDAR, COUNTER, plan, account)
    assert catalog.price_plans == {"plan": plan}
    assert catalog.calendars == {"week": CALENDAR}
    assert catalog.counters == {"used": COUNTER}
    assert catalog.wallets["opening_balance"].sum() % 2**64 == (
        sum(int(wallet.opening_balance.scaleb(9)) for wallet in account.wallets) % 2**64
    ), "modulo 2**64: the sum of several may not fit 64 bits"
    vocabulary = Vocabulary()
    compile_image(catalog, vocabulary)
    assert len(vocabulary.charge_versions) == len(plan.versions)


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "x",
        "1",
        "call",
        "ada",
        "60 s",
        "1 GB",
        "2026-01-01T00:00:00Z",
        0,
        1,
        -1,
        1.5,
        True,
        [],
        ["call"],
        {},
        {"x": "1"},
    ]
)


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of everything below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in [(*path, key), *paths_of(item, (*path, key))]]


@settings(max_examples=150)
@given(st.data())
def test_any_change_is_refused_with_a_fix_or_compiles(data: st.DataObject) -> None:
    """Change any one value of a catalog: either it does not load, or it compiles. Nothing else may happen."""
    documents = yaml.safe_load_all(as_yaml(*FIXED, CALENDAR, COUNTER, data.draw(price_plans()), data.draw(accounts())))
    changed = list(documents)
    *way, last = data.draw(st.sampled_from(paths_of(changed)))
    around: Any = changed
    for part in way:
        around = around[part]
    around[last] = data.draw(VALUES)
    with tempfile.TemporaryDirectory() as folder:
        directory = write_catalog(Path(folder), {"catalog.yaml": as_yaml_values(changed)})
        try:
            catalog = load_catalog(directory)
        except UnableToLoadCatalog as refusal:
            problems = refusal.problems
        else:
            compile_image(catalog, Vocabulary())
            return
    assert problems
    assert all(problem.fix and problem.message for problem in problems)


def as_yaml_values(documents: list[Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)
