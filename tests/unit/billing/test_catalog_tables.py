"""Subscription tables: every bad cell is named by line and column, a hundred thousand good rows take no time."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from catalog_texts import CATALOG, write_catalog

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.origins import ROWS_SHOWN
from billing.catalog.store import load_catalog
from schemas.catalog import TIME_MAX, TIME_MIN

NAME = "tables/subscribers.csv"
HEADER = "account,currency,subscription,offer,access_point,start,end,prepaid_balance,postpaid"
GOOD = "a,EUR,s,mobile,p,,,,"


def load_table(directory: Path, text: str | bytes) -> tuple[Problem, ...]:
    write_catalog(directory, {**CATALOG, NAME: text})
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(directory)
    assert {problem.file for problem in caught.value.problems} == {(directory / NAME).as_posix()}
    return caught.value.problems


@pytest.mark.parametrize(
    ("row", "column", "message", "fix"),
    [
        (",EUR,s,mobile,p,,,,", "account", "is empty", "write the account"),
        ("a,,s,mobile,p,,,,", "currency", "is empty", "write the currency"),
        ("a,EUR,,mobile,p,,,,", "subscription", "is empty", "write the subscription"),
        ("a,EUR,s,,p,,,,", "offer", "is empty", "write the offer"),
        ("a,EUR,s,mobile,,,,,", "access_point", "is empty", "write the access point"),
        ("a b,EUR,s,mobile,p,,,,", "account", '"a b" is not well formed', "letters, digits"),
        ("a,EUR,s/1,mobile,p,,,,", "subscription", '"s/1" is not well formed', "letters, digits"),
        ("a,EUX,s,mobile,p,,,,", "currency", 'the currency "EUX"', 'did you mean "EUR"?'),
        (
            "a,USD,s,mobile,p,,,,",
            "currency",
            'billed in USD, but the offer "mobile" is priced in EUR',
            "an offer in USD",
        ),
        ("a,EUR,s,mobil,p,,,,", "offer", '"mobil" is unknown', 'did you mean "mobile"?'),
        ("a,EUR,s,mobile, p,,,,", "access_point", 'blanks around " p"', "remove"),
        ("a,EUR,s,mobile,p\x07,,,,", "access_point", "control characters", "remove"),
        (f"a,EUR,s,mobile,{'p' * 256},,,,", "access_point", "too long", "at most 255"),
        ("a,EUR,s,mobile,p,2026-01-01T00:00:00,,,", "start", "not an instant with a zone", "2026-01-01T00:00:00Z"),
        ("a,EUR,s,mobile,p,1767225600,,,", "start", "not an instant with a zone", "2026-01-01T00:00:00Z"),
        ("a,EUR,s,mobile,p,,tomorrow,,", "end", '"tomorrow" is not an instant', "2026-01-01T00:00:00Z"),
        ("a,EUR,s,mobile,p,2026-01-01T00:00:00Z,2025-01-01T00:00:00Z,,", "end", "not after its start", "later"),
        ("a,EUR,s,mobile,p,2026-01-01T00:00:00Z,2026-01-01T01:00:00+01:00,,", "end", "not after its start", "later"),
        ("a,EUR,s,mobile,p,,,-1,", "prepaid_balance", '"-1" is not an opening balance', "at most 9 decimals"),
        ("a,EUR,s,mobile,p,,,1e3,", "prepaid_balance", '"1e3" is not an opening balance', "at most 9 decimals"),
        ("a,EUR,s,mobile,p,,,0.0000000001,", "prepaid_balance", "is not an opening balance", "at most 9 decimals"),
        ("a,EUR,s,mobile,p,,,9223372036.854775808,", "prepaid_balance", "not an opening", "to 9223372036.854775807"),
        ("a,EUR,s,mobile,p,,,,yes", "postpaid", '"yes" is neither true nor false', "true or false"),
        ("a,EUR,s,mobile,p,,,,false", "postpaid", "cannot pay", "prepaid_balance"),
        ("ada,EUR,s,mobile,p,,,,", "account", '"ada" is declared already, at', "rename"),
        ("g1,EUR,s,mobile,p,,,,", "account", '"g1" is declared already, at', "rename"),
        ("a,EUR,ada-mobile,mobile,p,,,,", "subscription", '"ada-mobile" is declared already, at', "rename"),
        ("a,EUR,s,mobile,p1,,,,", "access_point", 'belongs to subscription "s1"', "end one"),
    ],
)
def test_bad_row(row: str, column: str, message: str, fix: str, tmp_path: Path) -> None:
    before = "g1,EUR,s1,mobile,p1,,2030-01-01T00:00:00Z,,\n\ng2,EUR,s2,mobile,p2,,,1.5,false"
    after = "g3,EUR,s3,mobile,p3,,,,"
    (problem,) = load_table(tmp_path, f"{HEADER}\n{before}\n{row}\n{after}\n")
    assert (problem.line, problem.field) == (5, column)
    assert message in problem.message
    assert fix in problem.fix


def test_overlap_with_a_document_is_told_where_the_later_window_starts(tmp_path: Path) -> None:
    table = f"{HEADER}\na,EUR,s,mobile,33600000001,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,,\n"
    problems = load_table(tmp_path, table)
    assert [(problem.line, problem.field) for problem in problems] == [(2, "access_point")]
    assert (tmp_path / "parties.yaml").as_posix() in problems[0].message


@pytest.mark.parametrize(
    ("text", "line", "field", "message", "fix"),
    [
        ("", 1, "", "is empty", HEADER[:20]),
        (HEADER.replace("offer,", "") + "\n", 1, "offer", '"offer" is missing', "add it"),
        (HEADER.replace("offer", "offre") + "\n", 1, "offre", '"offre" is unknown', 'did you mean "offer"?'),
        (HEADER + ",end\n", 1, "", "appears twice", "remove"),
        (f"{HEADER}\n{GOOD},x\n", 2, "", "has 10 fields, the header 9", "quote values"),
        (f"{HEADER}\n{GOOD}\nb,EUR,t,mobile,33600", 3, "", "has 5 fields, the header 9", "as many fields"),
        (f"{HEADER}\nx,EUR,t,mobile,q\n{GOOD},,,,\n", 2, "", "has 5 fields", "as many fields"),
        (f'{HEADER}\n{GOOD}\n"b,EUR,t,mobile,q,,,,\n', 3, "", "is not CSV", "close each quote"),
        (f"{HEADER}\n{GOOD}\n".encode() + b"b\xff,EUR,t,mobile,q,,,,\n", 3, "", "not UTF-8", "UTF-8"),
        (HEADER.encode("utf-16"), 1, "", "", ""),
    ],
)
def test_bad_file(text: str | bytes, line: int, field: str, message: str, fix: str, tmp_path: Path) -> None:
    found = [
        p for p in load_table(tmp_path, text) if (field in ("", p.field)) and message in p.message and fix in p.fix
    ]
    assert found
    assert found[0].line == line


def load_points(directory: Path, text: str | bytes) -> pl.DataFrame:
    write_catalog(directory, {**CATALOG, NAME: text})
    points = load_catalog(directory).access_points
    return points.filter(pl.col("subscription").str.starts_with("row-"))


@pytest.mark.parametrize(
    "text",
    [
        "account,currency,subscription,offer,access_point\nx,EUR,row-1,mobile,p\n",
        "account,currency,subscription,offer,access_point\nx,EUR,row-1,mobile,p",
        "account,currency,subscription,offer,access_point\r\nx,EUR,row-1,mobile,p\r\n",
        "\ufeffaccount,currency,subscription,offer,access_point\nx,EUR,row-1,mobile,p\n\n\n",
        'offer,access_point,"account",currency,subscription\nmobile,"p",x,EUR,row-1\n',
        f"{HEADER}\nx,EUR,row-1,mobile,p,,,,true\n",
    ],
)
def test_forms_of_the_same_table(text: str, tmp_path: Path) -> None:
    assert load_points(tmp_path, text).rows() == [("p", "row-1", TIME_MIN, TIME_MAX)]


def test_header_only(tmp_path: Path) -> None:
    assert len(load_points(tmp_path, f"{HEADER}\n")) == 0


def test_quoted_identifier(tmp_path: Path) -> None:
    text = f'{HEADER}\nx,EUR,row-1,mobile,"urn:x,""y"" é",,,,\n'
    assert load_points(tmp_path, text)["access_point"].to_list() == ['urn:x,"y" é']


def test_lines_are_counted_through_quoted_line_ends(tmp_path: Path) -> None:
    text = f'{HEADER}\na,EUR,s,mobile,"p\n1",,,,\n\nb,EUR,t,mobile,q,,,,perhaps\n'
    found = [(problem.line, problem.field) for problem in load_table(tmp_path, text)]
    assert found == [(2, "access_point"), (5, "postpaid")]


def test_only_the_first_bad_rows_are_named(tmp_path: Path) -> None:
    rows = "".join(f"a{n},EUR,s{n},mobil,p{n},,,,\n" for n in range(500))
    problems = load_table(tmp_path, f"{HEADER}\n{rows}")
    assert [problem.line for problem in problems] == list(range(2, ROWS_SHOWN + 3))
    assert problems[-1].message == f"{500 - ROWS_SHOWN} more rows from here on have the same problem"


def test_two_tables_with_one_account(tmp_path: Path) -> None:
    documents = "{kind: subscription_table, file: a.csv}\n---\n{kind: subscription_table, file: b.csv}\n"
    table = "account,currency,subscription,offer,access_point\nx,EUR,{0},mobile,{0}\n"
    files = {**CATALOG, "t.yaml": documents, "a.csv": table.format("row-a"), "b.csv": table.format("row-b")}
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(write_catalog(tmp_path, files))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.field) == ((tmp_path / "b.csv").as_posix(), 2, "account")
    assert f"{(tmp_path / 'a.csv').as_posix()}:2" in problem.message


def test_hundred_thousand_rows(tmp_path: Path) -> None:
    n = 100_000
    number = pl.int_range(n, eager=True)
    code = number.cast(pl.String).str.zfill(6)
    table = pl.DataFrame(
        {
            "account": "acc-" + code,
            "currency": pl.repeat("EUR", n, eager=True),
            "subscription": "row-" + code,
            "offer": pl.repeat("mobile", n, eager=True),
            "access_point": "44" + ((number * 7_919) % 1_000_003).cast(pl.String).str.zfill(8),
            "start": pl.repeat("2026-01-01T00:00:00Z", n, eager=True),
            "prepaid_balance": (number % 1_000).cast(pl.String) + ".25",
        }
    )
    write_catalog(tmp_path, {**CATALOG, NAME: table.write_csv()})
    catalog = load_catalog(tmp_path)
    points = catalog.access_points.filter(pl.col("subscription").str.starts_with("row-"))
    assert len(points) == n
    assert points["access_point"].is_sorted()
    assert catalog.accounts["account"].is_sorted()
    wallets = catalog.wallets.filter(pl.col("account").str.starts_with("acc-"))
    assert len(wallets) == 2 * n
    assert wallets["opening_balance"].sum() == sum((k % 1_000) * 10**9 + 250_000_000 for k in range(n))
    one = points.filter(pl.col("subscription") == "row-000042")
    assert one["access_point"].to_list() == ["4400332598"]
