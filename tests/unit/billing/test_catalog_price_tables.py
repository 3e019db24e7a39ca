"""Price tables: rows in documents and in files, and what is wrong with them, each at its line, under its column, with a fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import copy_catalog, load_catalog
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog

DOCUMENTS = """\
{kind: event_type, code: call, unit: s, attributes: [zone], values: {called: digits, size: number}}
---
{kind: destination_table, code: world, value: called, file: tables/world.csv}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, prices: world}]}
---
{kind: charge, code: calls, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [calls]}
"""
ROWS = (
    "prefix,destination,price,start,end,first,next\n33,France,0.1,,,60 s,30 s\n336,Mobile,0.2,2026-01-01T00:00:00Z,,,\n"
)
CALENDAR = """---
{kind: calendar, code: week, zone: UTC, bands: [{name: peak, days: [mon]}, {name: rest}]}
"""


def load(directory: Path, *, rows: str = ROWS, documents: str = DOCUMENTS) -> Catalog:
    """Return the catalog with these rows."""
    (directory / "tables").mkdir(exist_ok=True)
    (directory / "tables/world.csv").write_text(rows, encoding="utf-8")
    (directory / "catalog.yaml").write_text(documents, encoding="utf-8")
    return load_catalog(directory)


def refusals(directory: Path, **changes: str) -> tuple[Problem, ...]:
    """Return what is wrong."""
    with pytest.raises(UnableToLoadCatalog) as caught:
        load(directory, **changes)
    return caught.value.problems


def test_rows_of_a_file_and_of_a_document_are_the_same_table(tmp_path: Path) -> None:
    in_file = load(tmp_path).price_tables["world"]
    inline = DOCUMENTS.replace(
        "file: tables/world.csv",
        'rows: [{prefix: "33", destination: France, price: "0.1", first: 60 s, next: 30 s}, '
        '{prefix: 336, destination: Mobile, price: "0.2", start: "2026-01-01T00:00:00Z"}]',
    )
    in_document = load(tmp_path, documents=inline).price_tables["world"]
    assert in_document.digest == in_file.digest
    assert in_document.frame.equals(in_file.frame)
    assert in_file.frame["price.0"].to_list() == [100_000_000_000, 200_000_000_000]


def test_the_content_of_a_table_names_the_versions_that_use_it(tmp_path: Path) -> None:
    def names(rows: str) -> list[str]:
        vocabulary = Vocabulary()
        compile_image(load(tmp_path, rows=rows), vocabulary)
        return vocabulary.charge_versions.names.to_list()

    assert names(ROWS) == names(ROWS)
    assert names(ROWS) != names(ROWS.replace("0.2", "0.3"))


def test_a_copy_has_the_files_of_price_tables(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    catalog = load(tmp_path / "one")
    copy_catalog(tmp_path / "one", catalog, tmp_path / "two")
    assert load_catalog(tmp_path / "two").price_tables["world"].digest == catalog.price_tables["world"].digest


BAD_ROWS = {
    "price": ("0.2", "0.2 EUR", 3, "price", "is not a price"),
    "too many decimals": ("0.2", "0.1234567890123", 3, "price", "is not a price"),
    "negative": ("0.2", "-1", 3, "price", "is not a price"),
    "too large": ("0.2", "9000001", 3, "price", "too large"),
    "prefix": ("336,", "+336,", 3, "prefix", "is not a prefix"),
    "prefix too long": ("336,", "3361234567890123,", 3, "prefix", "is not a prefix"),
    "no prefix": ("336,", ",", 3, "prefix", "is empty"),
    "instant": ("2026-01-01T00:00:00Z", "2026-01-01", 3, "start", "is not an instant"),
    "period": ("2026-01-01T00:00:00Z,", "2026-01-01T00:00:00Z,2026-01-01T00:00:00Z", 3, "end", "not after its start"),
    "increment": ("60 s,30 s", "60 s,0 s", 2, "next", "is no quantity above zero"),
    "half an increment": ("60 s,30 s", "60 s,", 2, "next", "a first and a next one"),
    "another dimension": ("60 s,30 s", "60 B,30 B", 0, "versions.0.prices", "measures data"),
    "two prices at a time": ("336,Mobile", "33,Mobile", 3, "prefix", "another price at that time"),
    "ragged": (",60 s,30 s", ",60 s", 2, "", "6 fields, the header 7"),
    "column": ("destination", "name", 1, "name", "is unknown"),
    "no prefix column": ("prefix", "prefx", 1, "prefix", "is missing"),
    "no prices": ("price", "prices", 1, "price", "no column with prices"),
    "band without a calendar": ("price", "price.peak", 0, "versions.0.prices", "need a calendar"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_wrong_row_is_told_at_its_line(tmp_path: Path, name: str) -> None:
    old, new, line, field, message = BAD_ROWS[name]
    found = refusals(tmp_path, rows=ROWS.replace(old, new, 1))
    if field.startswith("versions"):
        line = DOCUMENTS[: DOCUMENTS.index("prices: world")].count("\n") + 1
    assert any(problem.field == field and problem.line == line and message in problem.message for problem in found), (
        found
    )


MATRIX = """\
{kind: event_type, code: call, unit: s, attributes: [zone], values: {size: number, day: date, called: digits, at: instant}}
---
kind: price_matrix
code: world
columns: {zone: code, size: number, day: date, called: digits, at: instant}
rows:
- {zone: EU, size: 0..10, day: 2026-01-01.., called: 33*, at: "..2026-01-01T00:00:00Z", price: "1"}
- {zone: EU, price: "2"}
- {zone: US, priority: 7, price: "3"}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, prices: world}]}
---
{kind: charge, code: calls, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [calls]}
"""
BAD_MATRICES = {
    "number": ("size: 0..10", "size: 0-10", "rows.0.size", "is no number"),
    "empty range": ("size: 0..10", "size: 10..10", "rows.0.size", "is no number"),
    "all numbers": ("size: 0..10", "size: ..", "rows.0.size", "is no number"),
    "date": ("day: 2026-01-01..", "day: 2026-13-01..", "rows.0.day", "is no date"),
    "digits": ("called: 33*", "called: 3*3", "rows.0.called", "is no digits"),
    "instant": ("..2026-01-01T00:00:00Z", "..2026-01-01", "rows.0.at", "is no instant"),
    "priority": ("priority: 7", "priority: -7", "rows.2.priority", "is not a priority"),
    "column": ("zone: US", "zon: US", "zon", "unknown"),
    "type": ("code, size: number,", "code, size: numbr,", "columns.size", '"number"'),
    "attribute": ("attributes: [zone]", "attributes: [zones]", "price_plan", 'the attribute "zone"'),
    "value of another type": ("values: {size: number", "values: {size: digits", "price_plan", "it is digits"),
    "ambiguous": ("zone: US", "zone: EU, day: 2026-01-01", "", ""),
    "ambiguous with one before": (
        "{zone: US, priority: 7", "{size: 5..7", "rows.2.zone", "catalog.yaml:8 match the same usage"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_MATRICES)
def test_a_wrong_matrix_is_told(tmp_path: Path, name: str) -> None:
    old, new, field, message = BAD_MATRICES[name]
    assert old in MATRIX
    if name == "ambiguous":
        load(tmp_path, documents=MATRIX.replace(old, new, 1))  # its priority decides
        return
    found = refusals(tmp_path, documents=MATRIX.replace(old, new, 1))
    assert any(problem.field == field and message in str(problem) for problem in found), found


SHARE = """\
{kind: event_type, code: sale, unit: B, values: {amount: {type: number, decimals: 2}, day: date}}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: value, value: amount, price: "0.1"}]}
---
{kind: charge, code: sales, event_type: sale, price_plan: plan}
---
{kind: offer, code: offer, charges: [sales]}
"""
BAD_SHARES = {
    "value": ("value: amount", "value: amunt", "price_plan", 'did you mean "amount"?'),
    "no number": ("value: amount", "value: day", "price_plan", "no number but date"),
    "no value": (", value: amount", "", "versions.0.value", "needs value"),
    "free part": ('price: "0.1"', 'price: "0.1", free_value: "0.001"', "price_plan", "more decimals"),
    "another model": ("model: value, value: amount", "model: event, value: amount", "versions.0.value", "has no value"),
    "quantity": ('price: "0.1"', 'price: "0.1", per: 1 B', "versions.0.per", "has no per"),
}


@pytest.mark.parametrize("name", BAD_SHARES)
def test_a_wrong_share_is_told(tmp_path: Path, name: str) -> None:
    load(tmp_path, documents=SHARE)
    old, new, field, message = BAD_SHARES[name]
    assert old in SHARE
    found = refusals(tmp_path, documents=SHARE.replace(old, new, 1))
    assert any(problem.field == field and message in str(problem) for problem in found), found


BAD_DOCUMENTS = {
    "table": ("prices: world", "prices: word", "versions.0.prices", "unknown"),
    "both": ("prices: world", 'prices: world, price: "1"', "versions.0.prices", "a price, and prices"),
    "model": ("model: flat", "model: volume", "versions.0.prices", "has no prices"),
    "value": ("value: called", "value: caled", "price_plan", 'the value "caled"'),
    "value of another type": ("value: called", "value: size", "price_plan", "it is number"),
    "file": ("world.csv", "word.csv", "file", "cannot be read"),
    "rows and file": (
        "file: tables",
        'rows: [{prefix: "1", price: "1"}], file: tables',
        "",
        "in the document or in a file",
    ),
    "neither": (", file: tables/world.csv", "", "", "in the document or in a file"),
    "float": ("file: tables/world.csv", 'rows: [{prefix: "1", price: 0.1}]', "rows.0.price", "0.1"),
    "inline row": ("file: tables/world.csv", 'rows: [{prefix: "1x", price: "1"}]', "rows.0.prefix", "is not a prefix"),
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_a_wrong_document_is_told(tmp_path: Path, name: str) -> None:
    old, new, field, message = BAD_DOCUMENTS[name]
    assert old in DOCUMENTS
    found = refusals(tmp_path, documents=DOCUMENTS.replace(old, new, 1))
    assert any(problem.field == field and message in str(problem) for problem in found), found


def test_every_band_of_the_calendar_has_a_column(tmp_path: Path) -> None:
    documents = DOCUMENTS.replace("prices: world", "prices: world, calendar: week") + CALENDAR
    rows = "prefix,price.peak,price.rest\n33,0.1,0.05\n"
    assert load(tmp_path, rows=rows, documents=documents).price_tables["world"].bands == ("peak", "rest")
    (missing,) = refusals(tmp_path, rows="prefix,price.peak\n33,0.1\n", documents=documents)
    assert (missing.field, missing.fix) == ("versions.0.prices", "add the column `price.rest`")
    (half,) = refusals(tmp_path, rows="prefix,price.peak,price.rest\n33,0.1,\n", documents=documents)
    assert (half.line, half.field) == (2, "price.peak")
