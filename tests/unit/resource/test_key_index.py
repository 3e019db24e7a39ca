"""The index over a log of keys: lines compared at once, built in parts by threads, widened a little at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from pipelines.resource import key_index
from pipelines.resource.kernels import words
from pipelines.resource.key_index import KeyIndex, Layout
from schemas.arrays import UInt64Array

INVERSE = pow(0x9E3779B97F4A7C15, -1, 2**64)


@njit
def masks_of(address: int, tag: np.uint64) -> int:
    """Call the intrinsic, which only kernels can."""
    return words.line_masks(address, tag)


@njit
def first_of(mask: np.uint64) -> int:
    return words.first_bit(mask)


@given(
    line=st.lists(
        st.tuples(st.sampled_from([0, 1, 2**31, 2**32 - 1]), st.sampled_from([0, 1, 2**32 - 1])), min_size=8, max_size=8
    ),
    tag=st.sampled_from([0, 1, 2**31, 2**32 - 1]),
)
def test_a_line_is_compared_as_its_words_are(line: list[tuple[int, int]], tag: int) -> None:
    held = np.array([high << 32 | low for high, low in line], np.uint64)
    zero = sum((high == low == 0) << place for place, (high, low) in enumerate(line))
    same = sum((high == tag) << place for place, (high, _) in enumerate(line))
    assert masks_of(held.ctypes.data, np.uint64(tag)) == same << 8 | zero


@pytest.mark.parametrize(("mask", "bit"), [(0, 64), (1, 0), (0b1010_0000, 5), (1 << 63, 63), (2**64 - 1, 0)])
def test_the_first_bit_is_the_lowest(mask: int, bit: int) -> None:
    assert first_of(np.uint64(mask)) == bit


def entries_of(orders: list[int]) -> UInt64Array:
    """Return entries whose keys have these orders."""
    return np.array([(0, order * INVERSE % 2**64, 1) for order in orders], np.uint64)


def found_in(index: KeyIndex) -> list[int]:
    """Return the numbers of the entries that the index holds, sorted; asserts that each can be found from its home."""
    layout = index.old
    held = np.concatenate(layout.pages).reshape(-1, words.LINE)
    assert len(held) == layout.total
    numbers = []
    for line, word in zip(*np.nonzero(held), strict=True):
        value = int(held[line, word])
        home = (value >> 32) * layout.capacity >> 32
        assert home <= line
        assert (held[home:line] != 0).all(), "no line before it has room"
        assert (held[line, :word] != 0).all(), "a line fills from its beginning"
        numbers.append((value & 0xFFFFFFFF) - 1)
    return sorted(numbers)


@pytest.mark.parametrize("builders", [1, 2, 3])
@pytest.mark.parametrize("size", [7, 1_000])
def test_an_index_is_built_in_parts(monkeypatch: pytest.MonkeyPatch, builders: int, size: int) -> None:
    """Keys crowd before the borders of the parts and at the end: what runs over waits for the next part."""
    monkeypatch.setattr(key_index, "BUILD_ALONE", 1)
    monkeypatch.setattr(key_index, "BUILDERS", builders)
    monkeypatch.setattr(key_index, "SPARE", 1)
    spread = [number * 0xD1342543DE82EF95 % 2**64 for number in range(3_000)]
    crowd = [(border << 32) - 1 - low for border in (2**32 // 3, 2**31, 2 * 2**32 // 3, 2**32) for low in range(40)]
    entries = entries_of([*spread, *crowd])
    entries.flags.writeable = False  # as mapped files are
    index = KeyIndex.build([entries[at : at + size] for at in range(0, len(entries), size)], len(entries))
    assert index.used == len(entries)
    assert found_in(index) == list(range(len(entries)))


def test_an_index_is_widened_word_for_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """At any time each word is in one layout: before the border in the wide one, behind it in the old one."""
    monkeypatch.setattr(key_index, "SPARE", 2)
    index = KeyIndex()
    orders = [number * 0xD1342543DE82EF95 % 2**64 for number in range(4_000)]
    entries = entries_of(orders)
    borders = set()
    for first in range(0, 4_000, 50):
        index.make_room(50)
        borders.add(index.border)
        index.insert(entries[first : first + 50], first)
        assert found_in(index) == list(range(first + 50))
    assert len(borders) > 3


def test_pages_are_reused_empty() -> None:
    """A page that a sweep left behind comes back as lines of the wide layout without what was in it."""
    index = KeyIndex()
    entries = np.zeros((50_000, 3), np.uint64)
    for first in range(0, 1_000_000, 50_000):
        entries[:, 1] = np.arange(first, first + 50_000, dtype=np.uint64)
        index.make_room(50_000)
        index.insert(entries, first)
    held = np.concatenate(index.old.pages)
    assert np.count_nonzero(held) == 1_000_000


def test_a_sweep_stops_behind_a_line_that_is_not_full() -> None:
    """Else a key that ran over would be looked for in the wide layout and found in neither."""
    index = KeyIndex(Layout.empty(8))
    index.insert(entries_of([(3 << 61) + low for low in range(10)]), 0)  # fill line 3, and run over into line 4
    index.wide = Layout(16)
    index._sweep(4, 2.0)
    assert index.border == 5
    assert sum(np.count_nonzero(page) for page in index.wide.pages) == 10
