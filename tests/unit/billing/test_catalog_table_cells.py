"""Price tables whose cells and columns are at the edge of what they can say: beyond it, a problem at its line, never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import load_catalog
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.price_table import ROWS_MAX
from schemas.values import VALUE_MAX, cell_range

PARTIES = """---
{kind: calendar, code: week, zone: UTC, bands: [{name: peak, days: [mon]}, {name: rest}]}
---
{kind: charge, code: calls, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [calls]}
---
"""


def load(directory: Path, event_type: str, version: str, *tables: str) -> Catalog:
    """Return the catalog of a plan with one version."""
    documents = [
        f"{{kind: event_type, code: call, unit: s, {event_type}}}",
        f'{{kind: price_plan, code: plan, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", {version}}}]}}',
    ]
    (directory / "catalog.yaml").write_text(PARTIES + "\n---\n".join([*documents, *tables]), encoding="utf-8")
    return load_catalog(directory)


def refusals(directory: Path, event_type: str, version: str, *tables: str) -> tuple[Problem, ...]:
    """Return what is wrong."""
    with pytest.raises(UnableToLoadCatalog) as caught:
        load(directory, event_type, version, *tables)
    return caught.value.problems


def matrix(columns: str, *rows: str) -> str:
    return f"kind: price_matrix\ncode: prices\ncolumns: {{{columns}}}\nrows:\n" + "".join(
        f"- {{{row}}}\n" for row in rows
    )


def test_a_number_that_no_usage_can_have_is_asked_for_by_a_row_that_none_finds(tmp_path: Path) -> None:
    least = VALUE_MAX // 10**12 + 1
    assert cell_range(str(least - 1), "number", 12) == ((least - 1) * 10**12, (least - 1) * 10**12 + 1)
    assert cell_range(str(least), "number", 12) == (VALUE_MAX, VALUE_MAX)
    table = matrix("size: number", 'size: "999999999999999999", price: "1"', 'size: "1", price: "2"')
    catalog = load(tmp_path, "values: {size: {type: number, decimals: 2}}", "model: event, prices: prices", table)
    assert compile_image(catalog, Vocabulary()).tariff.range_high.max() == VALUE_MAX


@pytest.mark.parametrize("in_file", [False, True])
def test_a_matrix_may_ask_for_an_origin(tmp_path: Path, in_file: bool) -> None:
    table = matrix("origin: code", 'origin: FR, price: "1"', 'origin: DE, price: "2"')
    if in_file:
        (tmp_path / "prices.csv").write_text("origin,price\nFR,1\nDE,2\n", encoding="utf-8")
        table = "{kind: price_matrix, code: prices, columns: {origin: code}, file: prices.csv}"
    frame = load(tmp_path, "attributes: [origin]", "model: event, prices: prices", table).price_tables["prices"].frame
    assert frame.select("when.origin", "price.0").rows() == [("FR", 10**12), ("DE", 2 * 10**12)]


@pytest.mark.parametrize("name", ["price", "price.peak", "priority", "start", "first", "connection_fee"])
def test_no_cell_is_both_a_condition_and_what_the_row_brings(tmp_path: Path, name: str) -> None:
    table = matrix(f"{name}: code", f'{name}: "1", price: "1"' if name != "price" else 'price: "1"')
    found = refusals(tmp_path, f"attributes: [{name}]", "model: event, prices: prices", table)
    assert any(problem.field == f"columns.{name}" and "of its own" in problem.message for problem in found), found


def test_too_many_rows_are_told_whatever_the_columns_of_prices(tmp_path: Path) -> None:
    rows = "".join(f"{number},1,2\n" for number in range(ROWS_MAX + 1))
    (tmp_path / "prices.csv").write_text("way,price.peak,price.rest\n" + rows, encoding="utf-8")
    table = "{kind: price_matrix, code: prices, columns: {way: code}, file: prices.csv}"
    (problem,) = refusals(tmp_path, "attributes: [way]", "model: event, calendar: week, prices: prices", table)
    assert (problem.line, problem.field) == (ROWS_MAX + 2, "way")


def test_two_rows_for_one_usage_are_told_in_any_directory(tmp_path: Path) -> None:
    (tmp_path / "a}{b").mkdir()
    table = matrix("size: number", 'size: "5", price: "1"', 'size: "5.0", price: "2"')
    (problem,) = refusals(tmp_path / "a}{b", "values: {size: number}", "model: event, prices: prices", table)
    assert "a}{b/catalog.yaml:" in problem.message


@pytest.mark.parametrize("text", ["-1 s", "0 s", "1e3 s", "6_0 s", "+60 s", "0.0001 s", "99999999999999999999 s"])
def test_quantities_of_rows_are_written_as_those_of_versions(tmp_path: Path, text: str) -> None:
    row = f'prefix: "33", price: "1", first: "{text}", next: 1 s'
    table = f"{{kind: destination_table, code: prices, value: called, rows: [{{{row}}}]}}"
    found = refusals(tmp_path, "values: {called: digits}", "model: flat, per: 1 min, prices: prices", table)
    assert [problem.field for problem in found] == ["rows.0.first"]
    assert "no quantity above zero" in found[0].message


@pytest.mark.parametrize(("free", "decimals"), [("99999999999999999999", 0), ("4611687", 12)])
def test_a_free_part_is_no_more_than_a_value_can_be(tmp_path: Path, free: str, decimals: int) -> None:
    event_type = f"values: {{paid: {{type: number, decimals: {decimals}}}}}"
    version = 'model: value, value: paid, price: "0.1", free_value: '
    compile_image(load(tmp_path, event_type, f'{version}"4611686"'), Vocabulary())
    (problem,) = refusals(tmp_path, event_type, f'{version}"{free}"')
    assert "more than" in problem.message


@pytest.mark.parametrize("terms", ["first: 60 B, next: 60 B", "minimum_quantity: 60 B"])
def test_quantities_of_rows_measure_what_an_event_is_measured_in(tmp_path: Path, terms: str) -> None:
    table = f'{{kind: destination_table, code: prices, value: called, rows: [{{prefix: "33", price: "1", {terms}}}]}}'
    found = refusals(tmp_path, "values: {called: digits}", "model: event, prices: prices", table)
    assert {problem.field for problem in found} == {"price_plan"}
    assert all("which measures data, not time" in problem.message for problem in found)
    load(tmp_path, "values: {called: digits}", "model: event, prices: prices", table.replace("60 B", "60 s"))
