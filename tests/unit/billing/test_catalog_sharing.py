"""Shared counters in catalogs: accounts have parents, and every subscription finds the holder of its offer's counters."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import load_catalog
from rating.image_holders import charge_groups, with_holders
from rating.reversal import subscriptions_on
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary

SOLD = """
{{kind: event_type, code: voice, unit: s}}
---
{{kind: counter, code: pool, unit: s, shared_by: {shared_by}}}
---
kind: price_plan
code: voice
currency: EUR
versions: [{{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "0.01", counter: pool}}]
---
{{kind: charge, code: voice, event_type: voice, price_plan: voice}}
---
{{kind: offer, code: mobile, charges: [voice]}}
"""
TREE = """
{kind: account, code: user, currency: EUR, level: user_account, parent: bill}
---
{kind: account, code: bill, currency: EUR, parent: pay}
---
{kind: account, code: other, currency: EUR, parent: pay}
---
{kind: account, code: pay, currency: EUR, level: customer_account, parent: all}
---
{kind: account, code: all, currency: EUR, level: customer}
---
{kind: account, code: alone, currency: EUR}
"""


def write(directory: Path, shared_by: str, *documents: str, table: str = "") -> Path:
    parts = [SOLD.format(shared_by=shared_by).strip(), TREE.strip(), *documents]
    if table:
        parts.append("{kind: subscription_table, file: table.csv}")
        (directory / "table.csv").write_text(table)
    (directory / "catalog.yaml").write_text("\n---\n".join(parts))
    return directory


def bought(code: str, account: str, group: str = "") -> str:
    return (
        f"{{kind: subscription, code: {code}, account: {account}, offer: mobile{f', group: {group}' if group else ''}}}"
    )


def problems(directory: Path) -> tuple[Problem, ...]:
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(directory)
    return caught.value.problems


S1, S2, S3 = bought("s1", "user", "red"), bought("s2", "other", "red"), bought("s3", "user", "blue")


@pytest.mark.parametrize(
    ("shared_by", "names", "groups"),
    [
        ("subscription", ["s1/pool", "s2/pool", "s3/pool"], ["other", "user"]),
        ("group", ["group/blue/pool", "group/red/pool"], ["other"]),
        ("account", ["account/other/pool", "account/user/pool"], ["other", "user"]),
        ("customer_account", ["account/pay/pool"], ["other"]),
        ("customer", ["account/all/pool"], ["other"]),
    ],
)
def test_each_level_has_its_slots_and_charge_groups(
    tmp_path: Path, shared_by: str, names: list[str], groups: list[str]
) -> None:
    words = Vocabulary()
    image = compile_image(load_catalog(write(tmp_path, shared_by, S1, S2, S3)), words)
    assert words.counters.names.to_list() == names
    ids = words.accounts.ids(pl.Series(["user", "other"]))
    assert sorted({words.accounts.name(int(image.charge_group[account])) for account in ids}) == groups
    assert image.charge_group[words.accounts.id("alone")] == words.accounts.id("alone")


def test_a_billing_account_holds_for_the_user_accounts_below(tmp_path: Path) -> None:
    words = Vocabulary()
    compile_image(load_catalog(write(tmp_path, "billing_account", S1, bought("s4", "bill"), S2)), words)
    assert words.counters.names.to_list() == ["account/bill/pool", "account/other/pool"]


def test_who_counts_on_a_slot_is_known(tmp_path: Path) -> None:
    words = Vocabulary()
    image = compile_image(load_catalog(write(tmp_path, "group", S1, S2, S3)), words)
    found = subscriptions_on(words.counters.ids(pl.Series(["group/red/pool"])), image.tariff)
    assert [words.subscriptions.name(each) for each in found.tolist()] == ["s1", "s2"]


def test_a_table_has_groups_and_parents(tmp_path: Path) -> None:
    table = "account,currency,subscription,offer,access_point,group,parent\nt1,EUR,s1,mobile,1,red,pay\nt2,EUR,s2,mobile,2,,\n"
    catalog = load_catalog(write(tmp_path, "account", table=table))
    assert catalog.subscription_groups.rows() == [("s1", "red")]
    assert catalog.account_tree.filter(account="t1").rows() == [("t1", "billing_account", "pay")]
    assert not len(catalog.account_tree.filter(account="t2"))


@pytest.mark.parametrize(
    ("shared_by", "document", "field", "message"),
    [
        ("group", bought("s1", "alone"), "group", "is shared by a group, and the subscription is in none"),
        ("customer", bought("s1", "alone"), "account", 'is shared by a customer, but the account "alone" is none'),
        ("user_account", bought("s1", "bill"), "account", 'shared by a user account, but the account "bill" is none'),
        ("account", "{kind: account, code: x, currency: EUR, parent: nobody}", "parent", '"nobody" is unknown'),
        (
            "account",
            "{kind: account, code: x, currency: EUR, parent: bill}",
            "parent",
            'its parent "bill" a billing account',
        ),
        ("account", "{kind: account, code: x, currency: EUR, parent: x}", "parent", "is a billing account, its parent"),
        ("household", S1, "shared_by", '"household" is not allowed'),
    ],
)
def test_who_cannot_share_is_told(tmp_path: Path, shared_by: str, document: str, field: str, message: str) -> None:
    [problem] = problems(write(tmp_path, shared_by, document))
    assert (problem.field, message in problem.message) == (field, True), problem
    assert problem.fix


def test_a_table_without_a_group_is_told_by_line(tmp_path: Path) -> None:
    table = "account,currency,subscription,offer,access_point\nt1,EUR,s1,mobile,1\n"
    [problem] = problems(write(tmp_path, "group", table=table))
    assert (problem.file.rpartition("/")[2], problem.line, problem.field) == ("table.csv", 2, "group")


def test_chains_of_accounts_are_one_charge_group() -> None:
    import numpy as np

    account, holder = np.array([5, 4, 4, 3, 3, 2, 1], np.int32), np.array([0, 0, 1, 1, 2, 2, 9], np.int32)
    assert charge_groups(account, holder, 7).tolist() == [0, 1, 2, 2, 2, 2, 6]


def test_nobody_holds_what_no_account_above_is() -> None:
    from schemas.catalog import ACCOUNT_TREE_FRAME, SUBSCRIPTION_GROUP_FRAME

    rows = pl.DataFrame({"subscription": ["s"], "account": ["a"], "shared_by": ["customer"]})
    found = with_holders(rows, pl.DataFrame(schema=ACCOUNT_TREE_FRAME), pl.DataFrame(schema=SUBSCRIPTION_GROUP_FRAME))
    assert found["holder"].to_list() == [None]
