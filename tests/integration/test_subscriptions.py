"""Subscriptions in a database, on SQLite and on PostgreSQL, and the catalog that comes of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from control_world import NOW, Databases, made
from pydantic import ValidationError

from billing.access.sheets import Fault, read_sheet
from billing.access.store.database import Database
from billing.accounts.models import Account
from billing.accounts.operations import add_account, add_all_levels, change_account
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from billing.subscriptions.importing import COLUMNS, Ordered, read_subscription
from billing.subscriptions.models import Action, Subscription, TerminationReason
from billing.subscriptions.operations import (
    act,
    add_subscription,
    add_subscriptions,
    change_offer,
    define_reason,
    do_what_is_due,
)
from billing.subscriptions.queries import compiled, list_subscriptions, show_subscription
from billing.subscriptions.rules_catalog import UnableToPublish
from billing.subscriptions.rules_lifecycle import UnableToKeepSubscription
from billing.subscriptions.store import SUBSCRIPTION, find_subscription
from schemas.catalog import TIME_MAX

DAY = 86_400_000_000
SOLD = """\
{kind: event_type, code: voice, unit: s}
---
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2020-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.10"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: offer, code: mobile, charges: [voice]}
---
{kind: offer, code: unlimited, charges: [voice]}
"""


def instant(days: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW + days * DAY)


def bought(code: str, *points: Any, days: int = 0, account: str = "ana-ba", **more: Any) -> Subscription:
    own = [point if isinstance(point, dict) else {"id": point} for point in points]
    said = {"code": code, "account": account, "offer": "mobile", "start": instant(days), "access_points": own, **more}
    return Subscription.model_validate(said)


@pytest.fixture
def database(databases: Databases) -> Database:
    """Ana and Ben, customers of Acme."""
    database = databases.tenant()
    with made(database) as changes:
        seller = Account.model_validate({"kind": "seller", "code": "acme", "currency": "EUR", "zone": "Europe/Paris"})
        add_account(changes, seller, reseller_levels=1)
        for code in ("ana", "ben"):
            customer = Account.model_validate({"kind": "customer", "code": code, "parent": "acme"})
            add_all_levels(changes, customer, reseller_levels=1)
    return database


def loaded(database: Database, directory: Path, *, keep_levels: bool = False, sold: str = SOLD) -> Any:
    directory.mkdir(exist_ok=True)
    (directory / "sold.yaml").write_text(sold)
    for name, data in compiled(database, keep_levels=keep_levels).files.items():
        (directory / name).write_bytes(data)
    return load_catalog(directory)


def points(catalog: Any) -> list[tuple[str, str, int, int | None]]:
    """Return (identifier, subscription, start, end) in days from NOW."""
    return [
        (point, owner, (start - NOW) // DAY, None if end == TIME_MAX else (end - NOW) // DAY)
        for point, owner, start, end in catalog.access_points.rows()
    ]


def test_what_was_sold_is_a_catalog(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331"), activate=True)
        add_subscription(changes, bought("two", "+332", "+333", account="ben-ba", zone="Europe/London"), activate=True)
        add_subscription(changes, bought("later", "+334"), activate=False)
    catalog = loaded(database, tmp_path / "catalog")
    assert points(catalog) == [("+331", "one", 0, None), ("+332", "two", 0, None), ("+333", "two", 0, None)]
    assert catalog.zone_of("one") == "Europe/Paris"
    assert catalog.zone_of("two") == "Europe/London"
    assert catalog.accounts.rows() == [("ana-ba", "EUR"), ("ben-ba", "EUR")]
    assert [name for name in catalog.files if name.endswith(".csv")] != []
    assert compiled(database, keep_levels=False) == compiled(database, keep_levels=False)


CYCLES = "".join(
    f"---\n{{kind: billing_cycle, code: {code}, every: {every}}}\n"
    for code, every in (("m", "1 month"), ("w", "1 week"))
)


def test_accounts_keep_the_billing_cycle_that_holds_for_them(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        change_account(changes, "acme", {"billing_cycle": "m"}, reseller_levels=1)
        change_account(changes, "ben-ca", {"billing_cycle": "w"}, reseller_levels=1)
        add_subscription(changes, bought("one", "+331"), activate=True)
        add_subscription(changes, bought("two", "+332", "+333", account="ben-ba"), activate=True)
    catalog = loaded(database, tmp_path / "catalog", sold=SOLD + CYCLES)
    assert catalog.account_cycles.rows() == [("ana-ba", "m"), ("ben-ba", "w")]  # a line of the table, and a document
    with pytest.raises(UnableToLoadCatalog) as told:
        loaded(database, tmp_path / "without")
    assert {
        (problem.field, '"m"' in problem.message or '"w"' in problem.message) for problem in told.value.problems
    } == {("billing_cycle", True)}


def test_levels_are_told_where_something_is_shared(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331"), activate=True)
        shared = {"code": "family", "type": "prepaid", "opening_balance": "5", "shared_by": "customer"}
        change_account(changes, "ben", {"wallets": [shared]}, reseller_levels=1)
        add_subscription(changes, bought("two", "+332", account="ben-ba"), activate=True)
    catalog = loaded(database, tmp_path / "catalog")
    assert catalog.account_tree.select("account", "level", "parent").rows() == [
        ("ben", "customer", None),
        ("ben-ba", "billing_account", "ben"),
    ]
    catalog = loaded(database, tmp_path / "all", keep_levels=True)
    assert [row[2] for row in catalog.account_tree.select("account", "level", "parent").rows()] == [
        None, "ana-ca", "ana", None, "ben-ca", "ben",
    ]  # fmt: skip


def test_a_life_is_the_catalogs(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331", days=-10), activate=True)
        act(changes, "one", Action.SUSPEND, at=NOW - 5 * DAY)
    with made(database, NOW + DAY) as changes:
        act(changes, "one", Action.RESUME)
        planned = act(changes, "one", Action.TERMINATE, at=NOW + 20 * DAY)
    assert planned.planned is not None
    ahead = points(loaded(database, tmp_path / "ahead"))
    assert ahead == [("+331", "one", -10, -5), ("+331", "one", 1, 20)]  # the engine knows of the end already
    with (
        pytest.raises(UnableToKeepSubscription, match="TERMINATED cannot be told to suspend"),
        made(database, NOW + DAY) as changes,
    ):
        act(changes, "one", Action.SUSPEND, at=NOW + 21 * DAY)
    with made(database, NOW + 19 * DAY) as changes:
        assert do_what_is_due(changes) == []
    with made(database, NOW + 25 * DAY) as changes:
        assert do_what_is_due(changes) == ["one: TERMINATED"]
        assert do_what_is_due(changes) == []
    assert points(loaded(database, tmp_path / "done")) == ahead
    shown = show_subscription(database, "one")
    assert (shown["status"], shown["terminated_at"], shown["planned"]) == ("TERMINATED", NOW + 20 * DAY, [])
    with made(database, NOW + 26 * DAY) as changes:
        act(changes, "one", Action.CLOSE)
    assert points(loaded(database, tmp_path / "closed")) == ahead  # late usage is still its own


@pytest.mark.parametrize("days", [(50,), (35, 50), (30, 31, 40, 50)])
@pytest.mark.parametrize(
    ("term", "done", "told"),
    [
        ({"months": 1, "then": "TERMINATE"}, ["one: TERMINATED", "one: suspend failed"], [("+331", "one", 0, 30)]),
        ({"months": 1, "then": "SUSPEND"}, ["one: SUSPENDED", "one: suspend failed"], [("+331", "one", 0, 30)]),
        ({"months": 1, "renews": True}, ["one: renewed", "one: SUSPENDED"], [("+331", "one", 0, 40)]),
    ],
)
def test_it_does_not_matter_when_what_is_due_is_done(
    database: Database, tmp_path: Path, days: tuple[int, ...], term: dict[str, Any], done: list[str], told: list[Any]
) -> None:
    """A term ends on day 30, and a suspension is planned for day 40."""
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331", term=term), activate=True)
        act(changes, "one", Action.SUSPEND, at=NOW + 40 * DAY)
    assert points(loaded(database, tmp_path / "before")) == told
    said = list[str]()
    for day in days:
        with made(database, NOW + day * DAY) as changes:
            said += do_what_is_due(changes)
    assert [one[: len(wanted)] for one, wanted in zip(said, done, strict=True)] == done
    assert points(loaded(database, tmp_path / "after")) == told


def test_what_is_due_is_done_once_by_several_at_once(database: Database) -> None:
    with made(database) as changes:
        for code in ("one", "two", "three"):
            add_subscription(changes, bought(code, f"+33-{code}"), activate=True)
            act(changes, code, Action.SUSPEND, at=NOW + 5 * DAY)
    together = Barrier(4)

    def due(_: int) -> list[str]:
        together.wait(60)
        with made(database, NOW + 6 * DAY) as changes:
            return do_what_is_due(changes)

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(due, range(4)))
    assert sorted(one for part in said for one in part) == ["one: SUSPENDED", "three: SUSPENDED", "two: SUSPENDED"]
    assert sorted(map(len, said)) == [0, 0, 0, 3]


def test_what_can_no_longer_be_done_is_told_once(database: Database) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331"), activate=True)
        act(changes, "one", Action.SUSPEND, at=NOW + 5 * DAY)
        act(changes, "one", Action.TERMINATE, at=NOW)
    with made(database, NOW + 6 * DAY) as changes:
        (told,) = do_what_is_due(changes)
    assert told.startswith("one: suspend failed")
    with made(database, NOW + 7 * DAY) as changes:
        assert do_what_is_due(changes) == []


def test_terms_renew_or_end(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("ends", "+331", term={"months": 1}), activate=True)
        term = {"months": 1, "renews": True, "notify_days": 5}
        add_subscription(changes, bought("renews", "+332", account="ben-ba", term=term), activate=True)
    assert points(loaded(database, tmp_path / "before")) == [("+331", "ends", 0, 30), ("+332", "renews", 0, None)]
    with made(database, NOW + 26 * DAY) as changes:
        assert do_what_is_due(changes) == ["renews: its term ends"]
        assert do_what_is_due(changes) == []
    with made(database, NOW + 40 * DAY) as changes:
        assert sorted(do_what_is_due(changes)) == ["ends: TERMINATED", "renews: renewed"]
        assert do_what_is_due(changes) == []
    assert points(loaded(database, tmp_path / "after")) == [("+331", "ends", 0, 30), ("+332", "renews", 0, None)]
    assert show_subscription(database, "renews")["term_end_at"] == NOW + 61 * DAY


def test_a_reason_may_hold_what_is_charged(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        define_reason(changes, TerminationReason(code="moved", description="x", apply_agreement=True))
        add_subscription(changes, bought("one", "+331", term={"months": 12}), activate=True)
    with (
        pytest.raises(UnableToKeepSubscription, match="no termination reason gone"),
        made(database, NOW + DAY) as changes,
    ):
        act(changes, "one", Action.TERMINATE, reason="gone")
    with made(database, NOW + 10 * DAY) as changes:
        act(changes, "one", Action.TERMINATE, reason="moved")
    shown = show_subscription(database, "one")
    assert (shown["terminated_at"], shown["charged_until_at"]) == (NOW + 10 * DAY, NOW + 365 * DAY)
    fee = """
---
kind: price_plan
code: fee
currency: EUR
versions: [{start: "2020-01-01T00:00:00Z", model: event, price: "30"}]
---
{kind: recurring_charge, code: line, price_plan: fee}
"""
    sold = (SOLD + fee).replace("code: mobile, charges: [voice]", "code: mobile, charges: [voice, line]")
    catalog = loaded(database, tmp_path / "catalog", sold=sold)
    assert [point for point in points(catalog) if point[0] == "+331"] == [("+331", "one", 0, 10)]
    assert catalog.subscription_terms["end_at"].to_list() == [NOW + 365 * DAY]


def test_an_offer_changes_at_an_instant(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(
            changes, bought("one", "+331", {"id": "+332", "end": instant(2)}, term={"months": 12}), activate=True
        )
    with made(database, NOW + 5 * DAY) as changes:
        change_offer(changes, "one", "unlimited", code="two")
    assert points(loaded(database, tmp_path / "catalog")) == [
        ("+331", "one", 0, 5),
        ("+331", "two", 5, 365),  # the term goes on
        ("+332", "one", 0, 2),
    ]
    shown = show_subscription(database, "two")
    assert (shown["offer"], shown["successor_of"]) == ("unlimited", show_subscription(database, "one")["id"])
    assert shown["agreement_end_at"] == NOW + 365 * DAY
    with made(database, NOW + 6 * DAY) as changes:
        act(changes, "two", Action.SUSPEND, at=NOW + 7 * DAY)
    for named, code, wrong in (
        ("one", "three", "TERMINATED"),
        ("two", "one", "already"),
        ("two", "three", "something is planned"),
    ):
        with pytest.raises(UnableToKeepSubscription, match=wrong), made(database, NOW + 6 * DAY) as changes:
            change_offer(changes, named, "mobile", code=code)


FILE = b"""code,account,offer,start,access_point,term_months
one,ana-ba,mobile,2026-09-01T00:00:00Z,+331,12
one,ana-ba,mobile,,+332,
two,gone,mobile,,+333,
three,ana,mobile,,+334,
four,ana-ba,mobile,2026-09-01,+335,
five,ana-ba,mobile,,+336,x
six,ana-ba,mobile,,,
"""


def test_a_file_of_subscriptions(database: Database) -> None:
    rows: list[Ordered] = []
    faults: list[Fault] = []
    for line, values in read_sheet(FILE, COLUMNS):
        found = read_subscription(line, values)
        rows.append(found) if isinstance(found, Ordered) else faults.extend(found)
    with made(database) as changes:
        kept = add_subscriptions(changes, rows, activate=True)
    assert [event.code for event in kept.events] == ["one", "six"]
    assert [(fault.row, fault.column) for fault in faults] == [(6, "start"), (7, "term_months")]
    assert [(fault.row, fault.column, fault.reason) for fault in kept.faults] == [
        (3, "code", "there is a subscription one already"),
        (4, "account", "there is no account gone"),
        (5, "account", "a customer buys nothing: name a billing account or a user account"),
    ]
    listed = list_subscriptions(database, account="ana-ba")
    assert [(row["code"], row["account"], row["start_at"] == NOW) for row in listed] == [
        ("one", "ana-ba", False),
        ("six", "ana-ba", True),
    ]


def test_a_subscription_of_several_periods_keeps_the_zone_of_its_account(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331"), activate=True)
    with made(database, NOW + DAY) as changes:
        act(changes, "one", Action.SUSPEND)
    with made(database, NOW + 2 * DAY) as changes:
        act(changes, "one", Action.RESUME)
    assert loaded(database, tmp_path / "catalog").zone_of("one") == "Europe/Paris"


def test_an_offer_does_not_change_behind_the_end_of_its_term(database: Database) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331", term={"months": 1}), activate=True)
    with pytest.raises(UnableToKeepSubscription, match="term of one ended"), made(database, NOW + 31 * DAY) as changes:
        change_offer(changes, "one", "unlimited", code="two")


def test_a_term_renews_from_where_it_began_though_the_offer_changed(database: Database) -> None:
    with made(database) as changes:
        term = {"months": 12, "renews": True}
        add_subscription(changes, bought("one", "+331", term=term), activate=True)
    with made(database, NOW + 330 * DAY) as changes:
        change_offer(changes, "one", "unlimited", code="two")
    with made(database, NOW + 366 * DAY) as changes:
        assert do_what_is_due(changes) == ["two: renewed"]
    assert show_subscription(database, "two")["term_end_at"] == NOW + 731 * DAY


def test_one_life_that_cannot_go_on_stops_no_other(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331", term={"months": 1}), activate=True)
        add_subscription(changes, bought("two", "+332", account="ben-ba", term={"months": 2}), activate=True)
        row = find_subscription(changes.connection, "one")
        assert row is not None
        changes.update(SUBSCRIPTION, [{"id": row["id"], "start_at": NOW + 40 * DAY}])  # as older versions could
    assert points(loaded(database, tmp_path / "before")) == [("+331", "one", 40, None), ("+332", "two", 0, 61)]
    with made(database, NOW + 70 * DAY) as changes:
        failed, done = do_what_is_due(changes)
    assert failed.startswith("one: its term ended, which failed: ")
    assert done == "two: TERMINATED"


def test_a_mistaken_sale_is_taken_back(database: Database, tmp_path: Path) -> None:
    with made(database) as changes:
        add_subscription(changes, bought("one", "+331"), activate=True)
        add_subscription(changes, bought("wrong", "+332", account="ben-ba", offer="gone"), activate=True)
    with made(database, NOW + DAY) as changes:
        act(changes, "wrong", Action.TERMINATE, at=NOW)
    assert points(loaded(database, tmp_path / "catalog")) == [("+331", "one", 0, None)]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="Mars/X"):
        bought("one", "+331", zone="Mars/X")


def test_an_account_without_a_currency_is_told(database: Database) -> None:
    with made(database) as changes:
        change_account(changes, "acme", {"currency": None}, reseller_levels=1)
        add_subscription(changes, bought("one", "+331"), activate=True)
    with pytest.raises(
        UnableToPublish, match=r"ana-ba: there is no currency.*octroi account change ana-ba currency=EUR"
    ):
        compiled(database, keep_levels=False)
