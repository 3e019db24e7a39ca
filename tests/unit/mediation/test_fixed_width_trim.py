"""Fields of any width are trimmed as `str.strip` does, also those wider than the 64 bytes that are looked at together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mediation.extract import PADDING
from pipelines.mediation.kernels.fixed_width import place_fields

WIDTHS = st.one_of(st.integers(1, 70), st.sampled_from([63, 64, 65, 127, 128, 129, 200]))


def _stripped(text: str, *, left: bool, right: bool) -> str:
    text = text.rstrip(" ") if right else text
    return text.lstrip(" ") if left else text


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
@given(
    records=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.booleans()), min_size=1, max_size=5),
    widths=st.lists(WIDTHS, min_size=1, max_size=3),
)
def test_fields_are_trimmed_like_text(
    records: list[tuple[int, int, bool]], widths: list[int], *, left: bool, right: bool
) -> None:
    """Each field has some blanks, then letters with a blank among them, then blanks; a refused record has no fields."""
    texts = [[(" " * before + "x x" * (inner % 40)).ljust(w)[:w] for w in widths] for before, inner, _ in records]
    data = "".join("".join(fields) for fields in texts).encode()
    buffer = np.full(len(data) + PADDING, ord("\n"), np.uint8)
    buffer[: len(data)] = np.frombuffer(data, np.uint8)
    n, size = len(records), sum(widths)
    offset = np.cumsum([0, *widths[:-1]]).astype(np.int64)
    raw_start = np.arange(n, dtype=np.int64) * size
    reason = np.array([refused for *_, refused in records], np.uint16)
    start, end = np.full((len(widths), n), -1, np.int32), np.full((len(widths), n), -1, np.int32)
    width = np.array(widths, np.int64)
    place_fields(buffer, offset, width, left, right, False, raw_start, raw_start + size, start, end, reason)
    for row, fields in enumerate(texts):
        for slot, text in enumerate(fields):
            found = data[start[slot, row] : end[slot, row]].decode()
            assert found == ("" if reason[row] else _stripped(text, left=left, right=right))
