"""Assembly against its twin; whatever the order of parts, the same EDRs."""

from __future__ import annotations

from unittest import mock

import pytest
from assembly_world import HOUR_US, Assembled, Assembler, Piece, Rules, Twin
from hypothesis import given
from hypothesis import strategies as st
from resource_world import ALWAYS, FOREVER_US, START_US

from pipelines.resource import assembly
from pipelines.resource.kernels import assembly as kernels
from schemas.cdr import ELAPSED, STRICT, Late, Part
from schemas.quantity import BUILT_IN_UNITS, QUANTITY_MAX
from schemas.rejection import Reason

WINDOWS = {**ALWAYS, 2: [(0, FOREVER_US, 20, 200)]}


def _pieces(*, numbered: bool, elapsed: bool = False) -> st.SearchStrategy[list[Piece]]:
    return st.lists(
        st.builds(
            Piece,
            session=st.sampled_from([1, 2, 65, 1 << 40]),
            part=st.sampled_from([Part.FIRST, Part.MIDDLE, Part.LAST] if elapsed else list(Part)),
            number=st.integers(0, 4) if numbered else st.just(-1),
            quantity=st.sampled_from([0, 1, 5, QUANTITY_MAX // 2, QUANTITY_MAX]),
            second=st.integers(0, 3),
            key=st.sampled_from([0, 0, 0, 7, 8]),
            content=st.sampled_from([1, 1, 2]),
            event_type=st.sampled_from([0, 0, 0, 1]),
            access=st.sampled_from([1, 1, 2, 9]),
        ),
        max_size=14,
    )


rules = st.builds(
    Rules,
    mode=st.sampled_from([0, 0, STRICT, ELAPSED, ELAPSED | STRICT]),
    late=st.sampled_from(Late),
    open_max=st.sampled_from([1, 2, 99]),
)


def _blocks(found: Rules) -> st.SearchStrategy[tuple[Rules, list[tuple[list[Piece], int, bool]]]]:
    numbered = st.just(value=False) if found.elapsed else st.booleans()
    listed = numbered.flatmap(lambda given: st.lists(_block(given, found), min_size=1, max_size=5))
    return st.tuples(st.just(found), listed)


def _block(numbered: bool, found: Rules) -> st.SearchStrategy[tuple[list[Piece], int, bool]]:
    times = st.sampled_from([0, HOUR_US // 2, HOUR_US, 2 * HOUR_US])
    return st.tuples(_pieces(numbered=numbered, elapsed=found.elapsed), times, st.booleans())


@given(given_blocks=rules.flatmap(_blocks))
def test_the_stage_assembles_what_its_twin_assembles(
    given_blocks: tuple[Rules, list[tuple[list[Piece], int, bool]]],
) -> None:
    found, blocks = given_blocks
    with mock.patch.object(assembly, "CAPACITY_MIN", 2):
        stage, twin = Assembler(WINDOWS, rules=found), Twin(WINDOWS, found)
        now, claim = START_US, 1
        for pieces, later, ticks in blocks:
            now += later
            if ticks:
                claim += 1
                assert stage.tick(claim, now) == twin.tick(claim, now)
                assert stage.incomplete == twin.incomplete
            claim += 1
            assert stage.take(pieces, claim, now) == twin.take(pieces, claim, now)
            assert stage.state.assembly.open_count == len(twin.open)
        assert stage.tick(claim + 1, FOREVER_US) == twin.tick(claim + 1, FOREVER_US)


def _content(edrs: list[Assembled]) -> list[tuple[int, int, int, int]]:
    """Return what EDRs say, without which record completed them and when."""
    return sorted((at, quantity, owner, len(made_of)) for _, at, quantity, owner, made_of in edrs)


@st.composite
def sessions(draw: st.DrawFn) -> list[Piece]:
    """Return whole sessions of one to six parts, in any order."""
    found = []
    for session in range(1, draw(st.integers(1, 4)) + 1):
        parts = draw(st.integers(2, 6))
        start = draw(st.integers(0, 3))
        for index in range(parts):
            part = Part.FIRST if index == 0 else Part.LAST if index == parts - 1 else Part.MIDDLE
            found.append(Piece(session, part, start + index, draw(st.integers(0, 9)), second=session * 10 + index))
    return draw(st.permutations(found))


@given(pieces=sessions(), data=st.data())
def test_the_order_of_parts_and_of_blocks_changes_no_edr(pieces: list[Piece], data: st.DataObject) -> None:
    plain, mixed = Assembler(), Assembler()
    reasons, edrs = plain.take(pieces, 1, START_US)
    other = []
    for number, piece in enumerate(data.draw(st.permutations(pieces))):
        other += mixed.take([piece], number + 1, START_US)[1]
    assert _content(other) == _content(edrs)
    assert len(edrs) == len({piece.session for piece in pieces})
    assert sum(quantity for _, _, quantity, _, _ in edrs) == sum(piece.quantity for piece in pieces)
    assert sum(reason is Reason.ABSORBED_PART for reason in reasons) == len(pieces) - len(edrs)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_call_of_a_day_in_half_hours_is_the_call_in_one_record(backwards: bool) -> None:
    kinds = [Part.FIRST, *[Part.MIDDLE] * 46, Part.LAST]
    pieces = [Piece(5, kind, index, 1800, second=index * 1800) for index, kind in enumerate(kinds)]
    _, ((_, at, quantity, owner, made_of),) = Assembler().take(pieces[::-1] if backwards else pieces, 1, START_US)
    _, ((_, *single, _),) = Assembler().take([Piece(5, Part.SINGLE, quantity=86_400)], 1, START_US)
    assert [at, quantity, owner] == single
    assert len(made_of) == 48


def test_the_kernels_constants_are_the_vocabularys() -> None:
    assert {part.name: getattr(kernels, part.name) for part in Part} == {part.name: part for part in Part}
    assert kernels.QUANTITY_MAX == QUANTITY_MAX
    assert (kernels.ELAPSED, kernels.STRICT) == (ELAPSED, STRICT)
    assert (kernels.LATE_SEPARATE, kernels.LATE_REOPEN) == (Late.SEPARATE, Late.REOPEN)
    assert BUILT_IN_UNITS["s"].step_count == assembly.ELAPSED_STEPS
