"""Counters that reset and wrap: the kernel says what its twin says, and all that was used is billed, once."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from resource_world import ALWAYS, START_US, Row, Stage, Twin, held_keys, held_registers

from pipelines.mediation.kernels.quantities import read_counters
from pipelines.resource.kernels import series as kernels
from schemas.cdr import OnDecrease, ReadingRules
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason

SECOND_US = 1_000_000
MODULUS = 1000
rules = st.builds(
    lambda zero, mode, repeats: ReadingRules(zero, mode, MODULUS if mode is OnDecrease.WRAP_32 else 0, repeats),
    st.booleans(),
    st.sampled_from(OnDecrease),
    st.booleans(),
)
SMALL = [0, 1, 2, 999, 1000, 1001, QUANTITY_MAX - 1, QUANTITY_MAX]
WIDE = [0, 1, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]


def _signed(bits: int) -> int:
    return bits - 2**64 if bits >= 2**63 else bits


@st.composite
def counted(draw: st.DrawFn) -> tuple[ReadingRules, list[Row], bool]:
    """Return rules, readings of two series in any order, and whether they may begin anew or roll over."""
    found, marked = draw(rules), draw(st.booleans())
    indexes = [_signed(bits) for bits in WIDE] if found.on_decrease is OnDecrease.WRAP_64 else SMALL
    row = st.builds(
        Row,
        key=st.integers(1, 12),
        at=st.integers(0, 6).map(lambda second: START_US + second * SECOND_US),
        quantity=st.sampled_from(indexes),
        content=st.integers(1, 2),
        series=st.sampled_from([5, 1 << 64 | 5]),
        begins=st.integers(0, 9).map(lambda chance: chance == 0) if marked else st.just(value=False),
        rolls_over_at=st.just(0)
        if found.on_decrease or not marked
        else st.sampled_from([0, 0, 0, 1000, 1001, QUANTITY_MAX]),
    )
    return found, draw(st.lists(row, max_size=25)), marked


@given(counted=counted(), cut=st.integers(0, 25))
def test_readings_are_what_the_twin_says(counted: tuple[ReadingRules, list[Row], bool], cut: int) -> None:
    found, rows, marked = counted
    stage, twin = Stage(readings=found, marked=marked), Twin(ALWAYS, readings=found, marked=marked)
    for part in (rows[:cut], rows[cut:]):
        assert stage.answers(part) == twin.answers(part, START_US)
    assert held_registers(stage.state) == twin.registers
    assert held_keys(stage.state) == twin.seen


def _used(mode: OnDecrease, indexes: list[int], *, zero: bool) -> tuple[list[Reason], list[int]]:
    """Return the answers to readings that come one second after another, and what each measures."""
    found = ReadingRules(zero, mode, 2**32 if mode is OnDecrease.WRAP_32 else 0, absorbs_repeats=True)
    rows = [
        Row(key=i + 1, at=START_US + i * SECOND_US, quantity=_signed(index), series=7)
        for i, index in enumerate(indexes)
    ]
    answers = Stage(readings=found).answers(rows)
    return [reason for reason, _ in answers], [edr[2] for _, edr in answers if edr]


@given(steps=st.lists(st.integers(0, 2**40), min_size=1, max_size=30), zero=st.booleans())
def test_consumptions_sum_to_the_last_reading_less_the_first(steps: list[int], zero: bool) -> None:
    indexes = [int(sum(map(Decimal, steps[: i + 1]))) for i in range(len(steps))]
    _, used = _used(OnDecrease.REJECT, indexes, zero=zero)
    assert sum(map(Decimal, used)) == Decimal(indexes[-1]) - (0 if zero else Decimal(indexes[0]))


@given(
    runs=st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5).map(sorted), min_size=1, max_size=5),
)
def test_what_a_counter_counted_between_resets_is_added_up(runs: list[list[int]]) -> None:
    """Every run begins at 0; a reset that ends higher than the run before cannot be seen by anybody."""
    assume(all(after[0] < before[-1] for before, after in pairwise(runs)))
    reasons, used = _used(OnDecrease.RESET, [index for run in runs for index in run], zero=True)
    assert set(reasons) == {Reason.NONE}
    assert sum(map(Decimal, used)) == sum(Decimal(run[-1]) for run in runs)
    assert min(used) >= 0


@pytest.mark.parametrize(
    ("mode", "bits", "most"), [(OnDecrease.WRAP_32, 32, 2**32 - 1), (OnDecrease.WRAP_64, 64, 2**62)]
)
@given(data=st.data())
def test_a_counter_that_wraps_loses_nothing(mode: OnDecrease, bits: int, most: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 2**bits - 1))
    steps = data.draw(st.lists(st.integers(0, most), min_size=1, max_size=20))
    totals = [start + sum(steps[:i]) for i in range(len(steps) + 1)]
    reasons, used = _used(mode, [total % 2**bits for total in totals], zero=False)
    assert reasons == [Reason.OPENING_READING, *[Reason.NONE] * len(steps)]
    assert [Decimal(value) for value in used] == [Decimal(step) for step in steps]


def test_the_kernel_repeats_the_vocabulary() -> None:
    assert {mode.name: getattr(kernels, mode.name) for mode in OnDecrease} == {mode.name: mode for mode in OnDecrease}
    assert kernels.QUANTITY_MAX == QUANTITY_MAX


@given(
    texts=st.lists(
        st.one_of(
            st.integers(0, 2**64 + 5).map(str),
            st.text("0123456789-+. e", max_size=22),
            st.sampled_from(["", "18446744073709551615", "18446744073709551616", "0" * 30 + "7", "9" * 40]),
        ),
        max_size=20,
    ),
    known=st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_wide_counters_read_as_python_reads_them(texts: list[str], known: list[bool]) -> None:
    text = np.frombuffer(("".join(texts) + " " * 16).encode(), np.uint8)
    ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    counter, reason = np.empty(len(texts), np.int64), np.zeros(len(texts), np.uint16)
    kind = np.array([0 if known[i] else -1 for i in range(len(texts))], np.int32)
    read_counters(text, ends[:-1], ends[1:], kind, counter, reason)
    for i, written in enumerate(texts):
        if not known[i]:
            expected = (0, 0)
        elif not written.isdigit():
            expected = (0, int(Reason.INVALID_QUANTITY))
        elif int(written) >= 2**64:
            expected = (0, int(Reason.QUANTITY_OVERFLOW))
        else:
            expected = (int(written), 0)
        assert (int(counter[i]) % 2**64, int(reason[i])) == expected
