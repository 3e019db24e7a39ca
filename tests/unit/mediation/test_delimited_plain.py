"""Delimited text without quoting, with columns missing at the end, with a last column that takes the rest."""

from __future__ import annotations

import pytest
from mediation_world import CDR_COLUMNS, CDR_HEADER, blocks_of, context, decode, delimited

from pipelines.mediation.decode import describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource
from schemas.rejection import Reason


def test_quotes_are_text_in_header_and_records() -> None:
    source = delimited(quoting="none", mapping={"access_point": '"caller'})
    header = CDR_HEADER.replace(b"caller", b'"caller')
    (record,) = decode(source, header + b'1,a,"33"611,2026-05-01 10:00:00,61.5,EU\n', head_bytes=20)
    assert record.reason == 0
    assert record.access_point == b'"33"611'


def test_a_quote_that_never_closes_ends_with_its_line() -> None:
    source = delimited(header=False, columns=CDR_COLUMNS, quoting="none", record_bytes_max=256)
    long = b'2,"' + b"x" * 70_000 + b"\n"
    good = b'1,a,"33611,2026-05-01 10:00:00,61.5,EU\n'
    records = decode(source, good + long + good, block_bytes=64)
    assert [record.reason for record in records] == [0, Reason.RECORD_TOO_LONG, 0]


def test_the_count_of_fields_is_told_as_it_may_be() -> None:
    source = delimited(header=False, columns=CDR_COLUMNS, columns_min=5, quoting="none")
    (block,) = blocks_of(source, b'1,"a,33611,2026-05-01 10:00:00,61.5\n1,a,33611,2026-05-01\n1,2,3,4,5,6,7\n')
    assert block.reason.tolist() == [0, Reason.FIELD_COUNT, Reason.FIELD_COUNT]
    decoder = make_decoder(context(source))
    assert describe(decoder, block, 1) == "4 fields instead of 5 to 6"
    assert describe(decoder, block, 2) == "7 fields instead of 5 to 6"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rest": True}, "write `quoting: none`"),
        ({"header": False, "columns": CDR_COLUMNS, "columns_min": 7}, "only 6 columns"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UnableToCompileSource, match=says):
        make_decoder(context(delimited(**changes)))
