"""All short stories of a session, each a session of its own in the same blocks, against the twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from assembly_world import HOUR_US, Assembler, Piece, Rules, Twin
from resource_world import ALWAYS, START_US

from schemas.cdr import ELAPSED, STRICT, Late, Part

NOBODY = 9
NUMBERED = [Piece(0, part, number) for part in (Part.FIRST, Part.MIDDLE, Part.LAST) for number in range(3)]
TIMED = [
    Piece(0, part, second=second, access=access)
    for part, seconds in ((Part.FIRST, 3), (Part.MIDDLE, 1), (Part.LAST, 3))
    for second in range(seconds)
    for access in (1, NOBODY)
]
"""Parts that say when they were; of some it is not known whose they are."""
LENGTH = 3


def _chapters(alphabet: Sequence[Piece], cut: int) -> list[list[Piece]]:
    """Return two blocks, the parts of all stories before and after the cut; their quantities add up to no sum twice."""
    blocks: list[list[Piece]] = [[], []]
    for session, story in enumerate(product(alphabet, repeat=LENGTH), start=1):
        for place, piece in enumerate(story):
            second = (5 * piece.number + 2 * place) % 7 if piece.number >= 0 else piece.second
            told = replace(piece, session=session, quantity=10**place, second=second)
            blocks[place >= cut].append(told)
    return blocks


@pytest.mark.parametrize(
    ("cut", "late"),
    [*product(range(1, LENGTH), Late), (LENGTH, Late.REJECT)],
    ids=lambda given: getattr(given, "name", given),
)
@pytest.mark.parametrize(("alphabet", "mode"), [(NUMBERED, 0), (TIMED, ELAPSED | STRICT)], ids=["numbered", "elapsed"])
def test_every_short_story_ends_as_the_twin_tells_it(
    alphabet: Sequence[Piece], mode: int, cut: int, late: Late
) -> None:
    rules = Rules(mode, late)
    stage, twin = Assembler(ALWAYS, rules=rules), Twin(ALWAYS, rules)
    now = START_US
    for claim, pieces in enumerate(_chapters(alphabet, cut), start=1):
        assert stage.take(pieces, 2 * claim, now) == twin.take(pieces, 2 * claim, now)
        now += HOUR_US
        assert stage.tick(2 * claim + 1, now) == twin.tick(2 * claim + 1, now)
        assert stage.incomplete == twin.incomplete
        assert stage.state.assembly.open_count == len(twin.open) == 0
