"""What a source says of its fields is checked with file, line and fix, and is told in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.embedded.source_words import definition, describe_source
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

MAPPING: dict[str, Any] = {
    "identity": ["id"],
    "access_point": "caller",
    "time": {"field": "at"},
    "quantity": {"field": "seconds"},
    "event_type": {"constant": "voice"},
}
TRANSFORM: dict[str, Any] = {"name": "length", "version": "1.2", "reads": ["a"], "writes": ["seconds"]}
SOLD = """
{kind: event_type, code: voice, unit: s}
---
{kind: event_type, code: data, unit: B}
---
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "1"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: offer, code: mobile, charges: [voice]}
"""
RICH: dict[str, Any] = {
    "time": {"fields": ["date", "clock"], "format": "pattern", "pattern": "DD.MM.YYYY hh:mm:ss", "zone": "Europe/Paris"},
    "quantity": {"field": "seconds", "decimal": ",", "thousands": "."},
    "filters": [
        {"field": "kind", "prefix": ["V", "W"]}, {"field": "seconds", "min": 1, "max": "10.5"}, {"field": "id", "present": True},
    ],
    "required": ["note"],
    "converters": {
        "caller": [{"e164": {"country": "49", "trunk": ""}}, {"map": {"1": "2"}, "default": "3"}],
        "kind": [{"case": "upper"}],
    },
}  # fmt: skip


def load(directory: Path, mapping: dict[str, Any], **options: Any) -> Any:
    """Return the catalog of a source with a changed mapping."""
    source = {"kind": "source", "code": "calls", "format": "delimited", **options, "mapping": MAPPING | mapping}
    (directory / "sold.yaml").write_text(SOLD)
    (directory / "source.yaml").write_text(yaml.safe_dump(source, sort_keys=False))
    return load_catalog(directory)


def test_a_rich_source_is_told_in_words_and_can_be_loaded_again(tmp_path: Path) -> None:
    catalog = load(tmp_path, RICH)
    source = catalog.sources["calls"]
    told = describe_source(source, catalog)
    words = dict(told)
    assert words["time"] == "date and clock, 'DD.MM.YYYY hh:mm:ss'; without an offset it is read in Europe/Paris"
    assert words["quantity of voice"].startswith("seconds, '.' between thousands, ',' before decimals, in s, kept in s")
    assert words["first of all kind"] == 'case "upper"'
    assert words["first of all caller"].endswith('; map {"1": "2"}, others "3"')
    assert words["required"] == "note too must not be empty (FIELD_MISSING)"
    assert [how for what, how in told if what == "filter"] == [
        "keeps records whose kind begins with 'V' or 'W'",
        "leaves out records whose seconds is below 1 or above 10.5",
        "keeps records with id",
    ]
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "sold.yaml").write_text(SOLD)
    (tmp_path / "again" / "source.yaml").write_text(yaml.safe_dump(definition(source), sort_keys=False))
    assert load_catalog(tmp_path / "again").sources["calls"] == source


@pytest.mark.parametrize(
    ("quantity", "says"),
    [
        ({"between": ["at", "to"]}, "the time from at to to in s"),
        ({"fields": ["up", "down"]}, "up and down added up in s, kept in s"),
        ({"field": "seconds", "format": "hms"}, "seconds, as hh:mm:ss or mm:ss, in s"),
        ({"field": "seconds", "format": "hex"}, "seconds, in hexadecimal, in s"),
    ],
)
def test_quantities_are_told_in_words(tmp_path: Path, quantity: dict[str, Any], says: str) -> None:
    catalog = load(tmp_path, {"quantity": quantity, "time": {"field": "at", "format": "epoch_ns"}})
    words = dict(describe_source(catalog.sources["calls"], catalog))
    assert words["quantity of voice"].startswith(says)
    assert words["time"] == "at, ns since 1970-01-01T00:00:00Z"


PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    ({"time": {}}, "mapping.time", "is read from one field, or from two"),
    ({"time": {"field": "at", "fields": ["a", "b"]}}, "mapping.time", "is read from one field, or from two"),
    ({"time": {"field": "at", "format": "pattern"}}, "mapping.time", "need each other"),
    ({"time": {"field": "at", "format": "pattern", "pattern": ["YYYY"]}}, "mapping.time.pattern.0", "lacks MM"),
    ({"time": {"fields": ["a", "b"], "format": "epoch_s"}}, "mapping.time.fields", "epoch_s is one number"),
    ({"quantity": {"between": ["a", "b"], "unit": "min"}}, "mapping.quantity.unit", "counted in seconds"),
    ({"quantity": {"field": "a", "fields": ["a", "b"]}}, "mapping.quantity", "from fields, or from two times"),
    ({"quantity": {"fields": ["a", "a"]}}, "mapping.quantity.fields.1", "is repeated"),
    ({"quantity": {"field": "a", "format": "hms", "decimal": ","}}, "mapping.quantity.decimal", "the format hms"),
    ({"quantity": {"field": "a", "decimal": ",", "thousands": ","}}, "mapping.quantity.thousands", "same character"),
    (
        {"quantity": {"between": ["a", "b"]}, "event_type": {"constant": "data"}},
        "mapping.quantity.unit",
        "s measures time",
    ),
    ({"filters": [{"field": "a", "prefix": ["x"], "present": True}]}, "mapping.filters.0", "`prefix` and `present`"),
    ({"filters": [{"field": "a", "min": 2, "max": 1}]}, "mapping.filters.0.min", "no number is from 2 to 1"),
    ({"converters": {"b": [{"case": "upper"}]}}, "mapping.converters.b", 'nothing reads the field "b"'),
    ({"converters": {"id": [{}]}}, "mapping.converters.id.0", "it does nothing"),
    ({"converters": {"id": [{"case": "upper", "add_prefix": "x"}]}}, "mapping.converters.id.0", "exactly one thing"),
    (
        {"converters": {"id": [{"case": "upper", "default": "x"}]}},
        "mapping.converters.id.0.default",
        "there is no `map`",
    ),
    ({"converters": {"id": [{"map": {}}]}}, "mapping.converters.id.0.map", "it is empty"),
    ({"converters": {"id": [{"map": {"a": "b" * 513}}]}}, "mapping.converters.id.0", "at most 512 bytes"),
]


@pytest.mark.parametrize(
    ("mapping", "field", "says"), PROBLEMS, ids=[f"{field}: {says}" for _, field, says in PROBLEMS]
)
def test_a_mapping_that_cannot_be_meant_is_a_problem(
    tmp_path: Path, mapping: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(UnableToLoadCatalog) as refused:
        load(tmp_path, mapping)
    found = {problem.field: problem.message for problem in refused.value.problems}
    assert says in found[field]


def test_a_column_that_a_transform_writes_is_none_of_the_file(tmp_path: Path) -> None:
    source = load(tmp_path, {}, transform=TRANSFORM, header=False, columns=["id", "caller", "at", "a"]).sources["calls"]
    told = dict(describe_source(source, load(tmp_path, {})))
    assert told["transform"] == (
        "plug-in length 1.2 reads a; it writes seconds; what it refuses is rejected (REFUSED_BY_PLUGIN)"
    )
    with pytest.raises(UnableToLoadCatalog) as refused:
        load(tmp_path, {"required": ["refused"]}, transform=TRANSFORM)
    assert [problem.field for problem in refused.value.problems] == ["mapping.required.0"]


@pytest.mark.parametrize(
    ("options", "field", "says"),
    [
        ({"rest": True}, "rest", "delimiters can be quoted"),
        (
            {"header": False, "columns": ["id", "caller", "at", "seconds"], "columns_min": 5},
            "columns_min",
            "only 4 columns",
        ),
        (
            {"transform": TRANSFORM | {"writes": ["seconds", "x"]}},
            "transform.writes.1",
            'nothing in the mapping reads the column "x"',
        ),
        ({"transform": TRANSFORM | {"writes": ["refused"]}}, "transform.writes.0", "why it refuses a row"),
        ({"transform": TRANSFORM | {"reads": ["a", "a"]}}, "transform.reads.1", ""),
        (
            {"transform": TRANSFORM, "header": False, "columns": ["id", "caller", "at", "b"]},
            "transform.reads.0",
            'there is no column "a"',
        ),
        ({"transform": TRANSFORM | {"reads": ["a..b"]}, "format": "json"}, "transform.reads.0", "is not a path"),
        ({"format": "json", "records": "a..b"}, "records", "is not a path to an array"),
        ({"format": "json", "records": "a", "layout": "array"}, "layout", "goes through documents"),
    ],
)
def test_a_source_that_contradicts_itself_is_a_problem(
    tmp_path: Path, options: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(UnableToLoadCatalog) as refused:
        load(tmp_path, {}, **options)
    found = {problem.field: problem.message for problem in refused.value.problems}
    assert says in found[field]
