"""Names are found by a hash of 64 bits, and believed by their text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rating import vocabulary
from rating.vocabulary import NameTable
from schemas.arrays import UInt64Array

FIRST = ["b", "a", "c", "a", None, ""]
MORE = ["d", "c", "aa", "", None]


def _all_alike(names: pl.Series) -> UInt64Array:
    return np.zeros(len(names), np.uint64)


def _by_length(names: pl.Series) -> UInt64Array:
    return np.array(names.str.len_bytes().fill_null(9).to_numpy(), np.uint64)


@pytest.fixture(params=["hash", _all_alike, _by_length], ids=["hash", "all_alike", "by_length"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> NameTable:
    if request.param != "hash":
        monkeypatch.setattr(vocabulary, "_hashes", request.param)
    return NameTable()


def test_ids_are_given_in_sorted_order_and_never_again(table: NameTable) -> None:
    table.extend(pl.Series(FIRST))
    assert table.names.to_list() == ["", "a", "b", "c"]
    table.extend(pl.Series(MORE))
    assert table.names.to_list() == ["", "a", "b", "c", "aa", "d"]
    assert table.ids(pl.Series(["d", "nobody", "a", None, "e", "a", "bb"])).tolist() == [5, -1, 1, -1, -1, 1, -1]
    assert table.ids(table.names).tolist() == list(range(6))
    assert table.ids(pl.Series([], dtype=pl.String)).tolist() == []


def test_names_in_order_are_taken_as_they_are(table: NameTable) -> None:
    table.extend(pl.Series(["a", "b", "b", "c"]))
    assert table.names.to_list() == ["a", "b", "c"]
    assert NameTable().ids(pl.Series(["a"])).tolist() == [-1]


def test_a_name_is_found_by_itself_before_and_after_others_came(table: NameTable) -> None:
    table.extend(pl.Series(FIRST))
    assert [table.id(name) for name in ("", "a", "c", "d")] == [0, 1, 3, -1]
    table.extend(pl.Series(MORE))
    assert [table.id(name) for name in table.names.to_list()] == list(range(6))
    assert table.id("e") == -1
