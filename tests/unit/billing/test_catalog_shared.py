"""Shared access points in catalogs: several subscriptions at once only where all of them say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import load_catalog
from billing.catalog.windows import SHARED_MAX

SOLD = """
{kind: event_type, code: voice, unit: s}
---
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "0.01"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: offer, code: mobile, charges: [voice]}
---
{kind: account, code: ana, currency: EUR}
"""
JUNE, JULY, AUGUST = (f'"2026-0{month}-01T00:00:00Z"' for month in (6, 7, 8))


def _catalog(directory: Path, *points: str, table: str = "") -> Path:
    """Write a catalog in which subscription sN has the access point N of `points`."""
    documents = [
        f"{{kind: subscription, code: s{index}, account: ana, offer: mobile, access_points: [{point}]}}"
        for index, point in enumerate(points)
    ]
    if table:
        documents.append("{kind: subscription_table, file: table.csv}")
        (directory / "table.csv").write_text(table)
    (directory / "catalog.yaml").write_text("\n---\n".join([SOLD.strip(), *documents]))
    return directory


def _problems(directory: Path) -> tuple[Problem, ...]:
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(directory)
    return caught.value.problems


def test_all_who_share_say_so(tmp_path: Path) -> None:
    both = load_catalog(_catalog(tmp_path, '{id: "1", shared: true}', f'{{id: "1", shared: true, start: {JUNE}}}'))
    assert both.access_points["subscription"].to_list() == ["s0", "s1"]
    assert both.access_points.columns == ["access_point", "subscription", "start_at", "end_at"]


@pytest.mark.parametrize(
    "points",
    [
        ('{id: "1"}', '{id: "1"}'),
        ('{id: "1", shared: true}', '{id: "1"}'),
        ('{id: "1"}', '{id: "1", shared: true}'),
        # neighbours by start that do not overlap, around two that do
        (
            '{id: "1", shared: true}',
            f'{{id: "1", start: {JULY}}}',
            f'{{id: "1", shared: true, start: {JUNE}, end: {JULY}}}',
        ),
    ],
)
def test_who_does_not_say_so_is_refused_and_told_how(tmp_path: Path, points: tuple[str, ...]) -> None:
    (problem,) = _problems(_catalog(tmp_path, *points))
    assert 'the access point "1" belongs to subscription "s0" at the same time (' in problem.message
    assert problem.fix.endswith("if both are to pay for its usage, write `shared: true` at both")


def test_nobody_shares_with_themselves(tmp_path: Path) -> None:
    (problem,) = _problems(_catalog(tmp_path, '{id: "1", shared: true}, {id: "1", shared: true}'))
    assert 'belongs to subscription "s0" at the same time' in problem.message
    assert "shared" not in problem.fix


def test_sharing_has_a_bound_at_an_instant_but_not_over_time(tmp_path: Path) -> None:
    points = [f'{{id: "1", shared: true, end: {JUNE}}}'] + [f'{{id: "1", shared: true, start: {JUNE}}}'] * SHARED_MAX
    assert len(load_catalog(_catalog(tmp_path, *points)).access_points) == SHARED_MAX + 1
    (problem,) = _problems(_catalog(tmp_path, *points, f'{{id: "1", shared: true, start: {AUGUST}}}'))
    assert problem.message == f'more than {SHARED_MAX} subscriptions share the access point "1" at the same time'


def test_a_table_has_a_column_for_it(tmp_path: Path) -> None:
    head = "account,currency,subscription,offer,access_point,shared\n"
    shared = _catalog(tmp_path, '{id: "1", shared: true}', table=f"{head}zoe,EUR,z,mobile,1,true\n")
    assert load_catalog(shared).access_points["subscription"].to_list() == ["s0", "z"]
    for said in ("", "false"):
        (problem,) = _problems(
            _catalog(tmp_path, '{id: "1", shared: true}', table=f"{head}zoe,EUR,z,mobile,1,{said}\n")
        )
        assert "write `shared: true` at both" in problem.fix
    (problem,) = _problems(_catalog(tmp_path, '{id: "1"}', table=f"{head}zoe,EUR,z,mobile,2,maybe\n"))
    assert (problem.message, problem.field) == ('"maybe" is neither true nor false', "shared")


RESOLD = """
{kind: account, code: shop, currency: EUR}
---
{kind: offer, code: wholesale, charges: [voice]}
---
"""


def _resold(directory: Path, reseller: str, *points: str, more: str = "") -> Path:
    documents = [
        f"{{kind: subscription, code: s{index}, account: ana, offer: mobile, reseller: {reseller}, access_points: [{point}]}}"
        for index, point in enumerate(points)
    ]
    (directory / "catalog.yaml").write_text(
        "\n---\n".join([SOLD.strip(), RESOLD.strip("\n-"), *documents, *([more] if more else [])])
    )
    return directory


SHOP = "{account: shop, offer: wholesale}"


def test_a_reseller_has_a_subscription_of_its_own_to_what_it_sold(tmp_path: Path) -> None:
    dated = f"{{account: shop, offer: wholesale, start: {JULY}}}"
    catalog = load_catalog(_resold(tmp_path, dated, f'{{id: "1", end: {AUGUST}}}, {{id: "2", end: {JULY}}}'))
    assert catalog.subscriptions.rows() == [("s0", "ana", "mobile"), ("s0@shop", "shop", "wholesale")]
    points = catalog.access_points
    assert points.select("access_point", "subscription").rows() == [("1", "s0"), ("1", "s0@shop"), ("2", "s0")]
    assert points["end_at"][0] == points["end_at"][1] > points["start_at"][1] > points["start_at"][0]


@pytest.mark.parametrize(
    ("reseller", "message"),
    [
        ("{account: ana, offer: wholesale}", "the account resells the subscription to itself"),
        ("{account: shop, offer: retail}", 'the offer "retail" is unknown'),
        ("{account: nobody, offer: wholesale}", 'the account "nobody" is unknown'),
        (f"{{account: shop, offer: wholesale, start: {JULY}, end: {JULY}}}", "the period is empty: [start, end)"),
    ],
)
def test_wrong_resellers_are_told(tmp_path: Path, reseller: str, message: str) -> None:
    assert message in [problem.message for problem in _problems(_resold(tmp_path, reseller, '{id: "1"}'))]


def test_reselling_lets_nobody_else_have_an_access_point(tmp_path: Path) -> None:
    told = _problems(_resold(tmp_path, SHOP, '{id: "1"}', '{id: "1"}'))
    assert [problem.message.partition(" (")[0] for problem in told] == [
        'the access point "1" belongs to subscription "s0" at the same time'
    ]
    taken = "{kind: subscription, code: s0@shop, account: ana, offer: mobile}"
    told = _problems(_resold(tmp_path, SHOP, '{id: "1"}', more=taken))
    assert [problem.message.partition(",")[0] for problem in told] == ['the subscription "s0@shop" is declared already']


def test_resellers_count_among_those_who_share(tmp_path: Path) -> None:
    half = SHARED_MAX // 2
    assert len(load_catalog(_resold(tmp_path, SHOP, *['{id: "1", shared: true}'] * half)).access_points) == SHARED_MAX
    told = _problems(_resold(tmp_path, SHOP, *['{id: "1", shared: true}'] * (half + 1)))
    assert {problem.message for problem in told} == {
        f'more than {SHARED_MAX} subscriptions share the access point "1" at the same time'
    }


def test_rows_of_tables_are_resold(tmp_path: Path) -> None:
    header = "account,currency,subscription,offer,access_point,zone,reseller,reseller_offer\n"
    more = "{kind: subscription_table, file: table.csv}"
    (tmp_path / "table.csv").write_text(f"{header}bob,EUR,b1,mobile,7,UTC,shop,wholesale\neve,EUR,e1,mobile,8,,,\n")
    catalog = load_catalog(_resold(tmp_path, SHOP, '{id: "1"}', more=more))
    resold = catalog.subscriptions.filter(account="shop").select("subscription", "offer").rows()
    assert resold == [("b1@shop", "wholesale"), ("s0@shop", "wholesale")]
    assert catalog.access_points.filter(access_point="7")["subscription"].to_list() == ["b1", "b1@shop"]
    assert catalog.subscription_zones.rows() == [("b1", "UTC"), ("b1@shop", "UTC")]
    (tmp_path / "table.csv").write_text(f"{header}bob,EUR,b1,mobile,7,,shop,\neve,EUR,e1,mobile,8,,eve,mobile\n")
    told = _problems(_resold(tmp_path, SHOP, '{id: "1"}', more=more))
    assert [problem.message for problem in told] == [
        "a reseller is an account and its offer",
        '"eve" resells the subscription to itself',
    ]
