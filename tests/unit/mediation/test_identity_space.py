"""Sources that share a space know each other's identities and sessions; others never do."""

from __future__ import annotations

from mediation_world import CDR_HEADER, blocks_of, delimited

from schemas.cdr import CdrBlock
from schemas.source import DelimitedSource

LINE = b"1,a,33611,2026-05-01 10:00:00,61,F\n"
ASSEMBLY = {"key": ["id"], "part": {"field": "zone", "first": ["F"], "last": ["L"]}}


def _source(code: str, space: str | None = None, **mapping: object) -> DelimitedSource:
    return delimited(code=code, identity_space=space, mapping={"attributes": {}, "assembly": ASSEMBLY, **mapping})


def _keys(source: DelimitedSource) -> tuple[int, ...]:
    block: CdrBlock
    (block,) = blocks_of(source, CDR_HEADER + LINE)
    assert block.parts is not None
    columns = (block.key_hi, block.key_lo, block.parts.key_hi, block.parts.key_lo)
    return tuple(int(column[0]) for column in columns)


def test_a_shared_space_gives_the_same_keys() -> None:
    assert _keys(_source("a", "calls")) == _keys(_source("b", "calls"))


def test_a_space_is_known_by_its_name_and_a_source_without_one_has_its_own() -> None:
    keys = [_keys(source) for source in (_source("a"), _source("b"), _source("a", "calls"), _source("b", "other"))]
    assert len(set(keys)) == 4
    assert _keys(_source("b", "a")) == _keys(_source("a"))
