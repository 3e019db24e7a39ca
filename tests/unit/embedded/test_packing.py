"""Objects through a pipe arrive as they were."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from catalog_texts import CATALOG, write_catalog
from polars.testing import assert_frame_equal, assert_series_equal

from apps.embedded.packing import PIECE, UnableToUnpack, read_fields, read_piece, write_fields, write_piece
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog


@dataclass(frozen=True)
class Held:
    one: np.ndarray[Any, Any]
    other: np.ndarray[Any, Any]
    named: dict[str, int]
    listed: tuple[int, ...]
    little: tuple[int, ...]
    frame: pl.DataFrame


def held() -> Held:
    array = np.arange(12).reshape(3, 4)
    many = range(2 * PIECE + 7)
    frame = pl.DataFrame(
        {"name": ["a", None, "\u00e9\u20ac"], "at": [1, 2, None]}, schema={"name": pl.String, "at": pl.Int64}
    )
    return Held(array, array, {str(n): n for n in many}, tuple(many), (1, 2), frame)


def test_a_data_class_arrives_whole_and_what_it_shares_is_shared() -> None:
    stream = io.BytesIO()
    write_fields(stream, held())
    write_piece(stream, "behind it")
    stream.seek(0)
    found = read_fields(stream, Held)
    assert read_piece(stream) == "behind it"
    wanted = held()
    assert found.one is found.other
    assert found.one.flags.writeable
    np.testing.assert_array_equal(found.one, wanted.one)
    assert (found.named, found.listed, found.little) == (wanted.named, wanted.listed, wanted.little)
    assert list(found.named) == list(wanted.named)
    assert_frame_equal(found.frame, wanted.frame)


@pytest.mark.parametrize("names", [[], ["a"], ["a", None, ""]])
def test_a_series_keeps_its_name_and_type(names: list[str | None]) -> None:
    stream = io.BytesIO()
    series = pl.concat([pl.Series("name", names, pl.String), pl.Series("name", ["z"], pl.String)])
    write_piece(stream, series)
    stream.seek(0)
    assert_series_equal(read_piece(stream), series)


def test_a_catalog_arrives_as_it_was(tmp_path: Path) -> None:
    write_catalog(tmp_path, CATALOG)
    catalog = load_catalog(tmp_path)
    stream = io.BytesIO()
    write_fields(stream, catalog)
    stream.seek(0)
    found = read_fields(stream, type(catalog))
    for item in fields(catalog):
        one, other = getattr(found, item.name), getattr(catalog, item.name)
        if isinstance(other, pl.DataFrame):
            assert_frame_equal(one, other)
        elif item.name not in ("price_tables", "lookup_tables", "exchange_rates"):  # they hold frames
            assert one == other, item.name
        else:
            assert {code: rows.frame.rows() for code, rows in one.items()} == {
                code: rows.frame.rows() for code, rows in other.items()
            }


def test_a_failure_arrives_with_all_that_it_says(tmp_path: Path) -> None:
    write_catalog(tmp_path, {"one.yaml": "kind: offer\ncode: 1\n", "two.yaml": "kind: nothing\n"})
    with pytest.raises(UnableToLoadCatalog) as told:
        load_catalog(tmp_path)
    stream = io.BytesIO()
    write_piece(stream, told.value)
    stream.seek(0)
    found = read_piece(stream)
    assert isinstance(found, UnableToLoadCatalog)
    assert (str(found), found.problems) == (str(told.value), told.value.problems)
    assert len(found.problems) > 1


@pytest.mark.parametrize("left", [0, 1, 15, 16, 40, -1])
def test_half_an_object_is_none(left: int) -> None:
    stream = io.BytesIO()
    write_piece(stream, held())
    half = io.BytesIO(stream.getvalue()[:left])
    with pytest.raises(UnableToUnpack):
        read_piece(half)
