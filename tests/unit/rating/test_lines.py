"""Arrays that grow where they are, and whose rows are given back."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from rating import lines
from rating.lines import HUGE_BYTES, LINE_BYTES, give_back, longer, touch, zeros

ROWS = HUGE_BYTES // 16


@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_a_longer_array_has_the_same_rows_and_zeros(rows: int) -> None:
    array = zeros((rows, 2), np.int64, grows=True)
    assert not rows or array.ctypes.data % LINE_BYTES == 0
    array[:] = 7
    grown = longer(array, rows + 5)
    assert grown.shape == (rows + 5, 2)
    assert (grown[:rows] == 7).all()
    assert not grown[rows:].any()
    assert longer(grown, 3) is grown
    assert (grown.base is array.base) == (rows == ROWS)  # small ones are copied


def test_an_array_that_has_grown_already_is_copied_when_it_grows_again() -> None:
    array = zeros((ROWS, 2), np.int64, grows=True)
    first = longer(array, 2 * ROWS)
    first[:] = 1
    second = longer(array, 2 * ROWS)
    assert (second[:ROWS] == 1).all()
    assert not second[ROWS:].any()
    assert not longer(first[:5], 9)[5:].any()


def test_rows_of_any_kind_grow() -> None:
    kind = np.dtype([("a", "<i4"), ("b", "<i8")])
    array = zeros((HUGE_BYTES // 12 + 1,), kind, grows=True)
    array["b"] = 3
    assert longer(array, len(array) + 1)["b"][-2:].tolist() == [3, 0]
    assert longer(np.zeros((4, 0), np.int64), 9).shape == (9, 0)
    assert longer(np.arange(3), 5).tolist() == [0, 1, 2, 0, 0]


def test_where_addresses_are_limited_rows_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    made = mmap.mmap.__new__

    def limited(kind: type, handle: int, length: int, **more: int) -> mmap.mmap:
        if length > 64 * HUGE_BYTES:
            raise OSError(12, "Cannot allocate memory")
        return made(kind, handle, length, **more)

    monkeypatch.setattr(lines._Memory, "__new__", limited, raising=False)
    array = zeros((ROWS, 2), np.int64, grows=True)
    array[:] = 4
    grown = longer(array, 3 * ROWS)
    assert grown.base is not array.base
    assert (grown[:ROWS] == 4).all()
    assert not grown[ROWS:].any()


def test_rows_that_are_given_back_are_zeros_or_as_they_were() -> None:
    array = zeros((8 * ROWS, 2), np.int64)
    touch(array, 0, array.nbytes)
    array[:] = 5
    give_back(array, 0, 3 * ROWS + 1)
    assert (array[3 * ROWS + 1 :] == 5).all()
    assert not array[: 3 * ROWS].any()
    give_back(array, 3 * ROWS + 1, len(array))
    assert not array[: 8 * ROWS - 4096].any()
    small = np.ones((9, 2))
    give_back(small, 0, 9)
    assert small.all()
