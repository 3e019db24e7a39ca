"""Every reason that decoding can give: an input that yields it, where the record ends, what is kept, what is said."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from mediation_r151 import POWER, Day, Index, Prm, document, index_xml
from mediation_world import (
    CDR_HEADER,
    CDR_LINE,
    Source,
    blocks_of,
    cloudevents,
    context,
    delimited,
    r151,
    raws,
    records_of,
)

from pipelines.mediation.decode import describe, make_decoder
from pipelines.mediation.explain import DETAIL_MAX
from pipelines.mediation.kernels import encoding, quantities, reasons, timestamps
from pipelines.refusals import refused_records
from schemas.cdr import TIMESTAMP_MAX_US, TIMESTAMP_MIN_US, select_records
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import EXPLANATIONS, OUTCOMES, RAW_BYTES_MAX, Outcome, Reason

CSV = delimited(
    record_bytes_max=300,
    mapping={
        "event_type": {"field": "switch", "values": {"a": "call"}},
        "filters": [{"field": "zone", "drop": ["test", "lab"]}, {"field": "caller", "drop": ["0"]}],
    },
)
NO_ZONE = delimited(mapping={"time": {"field": "at"}})
LATIN = delimited(encoding="latin-1")
IN_PARTS = delimited(
    mapping={
        "assembly": {"key": ["id"], "sequence": "zone", "part": {"field": "switch", "first": ["a"], "last": ["z"]}},
        "attributes": {},
    }
)
VERSIONED = delimited(on_same_key="supersede", mapping={"version": "zone", "attributes": {}})
VALUED = delimited(mapping={"event_type": {"constant": "sale"}, "attributes": {}, "values": {"price": "zone"}})
IDENTIFIED = delimited(mapping={"identity": ["id", "zone"]})
EVENT = {
    "specversion": "1.0", "id": "e-1", "source": "/net", "type": "com.acme.data", "subject": "33611",
    "time": "2026-05-01T08:00:00Z", "data": {"bytes": 1000, "where": {"zone": "EU"}},
}  # fmt: skip


def cdr(**changes: str) -> bytes:
    """Return a line of CDR_COLUMNS, changed, without its end."""
    fields = {"id": "1", "switch": "a", "caller": "33611", "at": "2026-05-01 10:00:00", "seconds": "61.5", "zone": "EU"}
    return ",".join((fields | changes).values()).encode()


def event(**changes: Any) -> bytes:
    """Return an event, changed; None leaves an attribute out."""
    return json.dumps({name: value for name, value in (EVENT | changes).items() if value is not None}).encode()


def xml(index: Index, **day: Any) -> bytes:
    """Return a document of one record."""
    return document(Prm(days=(Day(indexes=(index,), **day),)))


A, B = CDR_HEADER, b"\n"
TABLE: list[tuple[Reason, Source, bytes, bytes, str]] = [
    # reason, source, file, raw bytes kept, what is said
    (Reason.RECORD_TOO_LONG, CSV, A + cdr(id="x" * 300) + B, cdr(id="x" * 300), "longer than 300 bytes"),
    (Reason.RECORD_TOO_LONG, CSV, A + b"x" * 70_000, b"x" * RAW_BYTES_MAX, "longer than 300 bytes"),
    (Reason.RECORD_TOO_LONG, cloudevents(), b"x" * 1_100_000, b"x" * RAW_BYTES_MAX, "longer than 1048576 bytes"),
    (Reason.RECORD_TOO_LONG, r151(record_bytes_max=256), xml(Index(name="x" * 300)), index_xml(Index(name="x" * 300)).encode(),
     "longer than 256 bytes"),
    (Reason.NUL_BYTE, CSV, A + b"1,a,33\x0011" + B, b"1,a,33\x0011", "byte 6 of the record is NUL"),
    (Reason.NUL_BYTE, cloudevents(), event(id="a\x00"), event(id="a\x00"), EXPLANATIONS[Reason.NUL_BYTE]),
    (Reason.INVALID_ENCODING, CSV, A + cdr(id="").replace(b"EU", b"\xe9U"), cdr(id="").replace(b"EU", b"\xe9U"),
     "byte 34 of the record (0xe9) is not valid utf-8"),
    (Reason.INVALID_ENCODING, cloudevents(), b'{"id": "\xff"}', b'{"id": "\xff"}', "byte 8 of the record (0xff) is not valid utf-8"),
    (Reason.MALFORMED_RECORD, CSV, A + b'1,"a"b' + B, b'1,"a"b', EXPLANATIONS[Reason.MALFORMED_RECORD]),
    (Reason.MALFORMED_RECORD, cloudevents(), b"7", b"7", EXPLANATIONS[Reason.MALFORMED_RECORD]),
    (Reason.MALFORMED_RECORD, cloudevents(), event(specversion="0.3"), event(specversion="0.3"),
     EXPLANATIONS[Reason.MALFORMED_RECORD]),
    (Reason.MALFORMED_RECORD, cloudevents(), event(id=7), event(id=7), EXPLANATIONS[Reason.MALFORMED_RECORD]),
    (Reason.FIELD_COUNT, CSV, A + b'1,"a,b",c' + B, b'1,"a,b",c', "3 fields instead of 6"),
    (Reason.FIELD_COUNT, LATIN, A + b"\xe9,\xff", b"\xe9,\xff", "2 fields instead of 6"),
    (Reason.FIELD_COUNT, delimited(), A + b'"' + b"x" * 140_000 + b'"', b'"' + b"x" * (RAW_BYTES_MAX - 1), "not 6 fields"),
    (Reason.FIELD_MISSING, CSV, A + cdr(caller="", seconds=""), cdr(caller="", seconds=""), "empty: caller, seconds"),
    (Reason.FIELD_MISSING, cloudevents(), event(id=None, subject=""), event(id=None, subject=""), "empty: id, subject"),
    (Reason.FIELD_MISSING, cloudevents(), event(data={"bytes": {}}), event(data={"bytes": {}}), "empty: data.bytes"),
    (Reason.FIELD_MISSING, r151(), xml(Index(value=None), supplier=None), index_xml(Index(value=None)).encode(),
     "empty: calendar, Valeur"),
    (Reason.FILTERED_BY_SOURCE, CSV, A + cdr(zone="test", seconds="x"), cdr(zone="test", seconds="x"),
     "zone is 'test', caller is '33611'"),
    (Reason.FILTERED_BY_SOURCE, r151(), xml(Index(POWER, value="x")), index_xml(Index(POWER, value="x")).encode(),
     "Puissance_Maximale is not billed: the source bills the supplier grid"),
    (Reason.IDENTITY_MISSING, IDENTIFIED, A + cdr(id="", zone=""), cdr(id="", zone=""), "all empty: id, zone"),
    (Reason.UNKNOWN_EVENT_TYPE, CSV, A + cdr(switch="b"), cdr(switch="b"), "switch is 'b'"),
    (Reason.UNKNOWN_EVENT_TYPE, cloudevents(), event(type="t" * 500), event(type="t" * 500), "type is 'tt"),
    (Reason.INVALID_TIMESTAMP, CSV, A + cdr(at="now"), cdr(at="now"), "at is 'now'"),
    (Reason.INVALID_TIMESTAMP, r151(), xml(Index(), date="01/05/2026"), index_xml(Index()).encode(), "Date_Releve is '01/05/2026'"),
    (Reason.TIMESTAMP_WITHOUT_ZONE, NO_ZONE, A + cdr(), cdr(), "at is '2026-05-01 10:00:00'"),
    (Reason.TIMESTAMP_OUT_OF_RANGE, CSV, A + cdr(at="1999-01-01 00:00:00"), cdr(at="1999-01-01 00:00:00"),
     "at is '1999-01-01 00:00:00'"),
    (Reason.TIMESTAMP_OUT_OF_RANGE, r151(), xml(Index(), date="1970-01-01"), index_xml(Index()).encode(),
     "Date_Releve is '1970-01-01'"),
    (Reason.INVALID_QUANTITY, CSV, A + cdr(seconds="1,5".replace(",", ";")), cdr(seconds="1;5"), "seconds is '1;5'"),
    (Reason.INVALID_QUANTITY, r151(), xml(Index(value="1 000")), index_xml(Index(value="1 000")).encode(), "Valeur is '1 000'"),
    (Reason.QUANTITY_PRECISION, CSV, A + cdr(seconds="0.0001"), cdr(seconds="0.0001"), "seconds is '0.0001'"),
    (Reason.QUANTITY_OVERFLOW, CSV, A + cdr(seconds="9" * 30), cdr(seconds="9" * 30), f"seconds is '{'9' * 30}'"),
    (Reason.NEGATIVE_QUANTITY, CSV, A + cdr(seconds="-1"), cdr(seconds="-1"), "seconds is '-1'"),
    (Reason.NEGATIVE_QUANTITY, cloudevents(), event(data={"bytes": -1}), event(data={"bytes": -1}), "data.bytes is '-1'"),
    (Reason.DOUBTFUL_READING, r151(), xml(Index(doubt="1")), index_xml(Index(doubt="1")).encode(), "Indice_Vraisemblance is '1'"),
    (Reason.DOUBTFUL_READING, r151(), xml(Index(), supplier="INCONNU"), index_xml(Index()).encode(), "calendar is 'INCONNU'"),
    (Reason.DOUBTFUL_READING, r151(), xml(Index(doubt="1"), supplier="DN999999"), index_xml(Index(doubt="1")).encode(),
     "calendar is 'DN999999'"),
    (Reason.UNKNOWN_PART, IN_PARTS, A + cdr(switch="b"), cdr(switch="b"), "switch is 'b', id is '1'"),
    (Reason.INVALID_VERSION, VERSIONED, A + cdr(zone="EU"), cdr(zone="EU"), "zone is 'EU'"),
    (Reason.INVALID_SEQUENCE, IN_PARTS, A + cdr(zone="EU"), cdr(zone="EU"), "zone is 'EU'"),
    (Reason.INVALID_VALUE, VALUED, A + cdr(zone="1.5E"), cdr(zone="1.5E"), "zone is '1.5E'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "source", "data", "raw", "said"), TABLE, ids=lambda value: getattr(value, "name", None)
)
def test_a_refused_record_keeps_its_bytes_and_says_why(
    reason: Reason, source: Source, data: bytes, raw: bytes, said: str
) -> None:
    decoder = make_decoder(context(source))
    [block] = blocks_of(decoder, data)
    [record] = records_of(block)
    assert record.reason == reason
    assert record.raw[:RAW_BYTES_MAX] == raw
    detail = describe(decoder, block, 0)
    assert detail.startswith(said)
    assert len(detail) <= DETAIL_MAX
    kept = refused_records(
        block, block.reason, lambda cdrs, row: describe(decoder, cdrs, row), retry_count=0
    ).to_pylist()
    if OUTCOMES[reason] is Outcome.FILTERED:
        assert kept == []
        return
    [rejection] = kept
    assert (rejection["reason"], rejection["outcome"], rejection["stage"]) == (reason, OUTCOMES[reason], 0)
    assert (rejection["raw"], rejection["detail"], rejection["raw_truncated"]) == (
        raw,
        detail,
        len(record.raw) > RAW_BYTES_MAX,
    )


def test_the_table_has_every_reason_of_decoding() -> None:
    of_energy = {Reason.BEYOND_BILLABLE, Reason.AWAITS_EXECUTION, Reason.KEPT_READING}
    elsewhere = {Reason.REFUSED_BY_PLUGIN} | of_energy
    by_format = {reason for reason in Reason if 0 < reason < 200} - elsewhere
    assert {reason for reason, *_ in TABLE} == by_format


PRECEDENCE: list[tuple[Source, bytes, Reason]] = [
    (CSV, A + b"x" * 250 + b"\x00\xff" + b"x" * 100, Reason.RECORD_TOO_LONG),
    (CSV, A + b'\x00\xff"', Reason.NUL_BYTE),
    (CSV, A + b'"\xff"x', Reason.INVALID_ENCODING),
    (CSV, A + b'"1"x', Reason.MALFORMED_RECORD),
    (CSV, A + cdr(zone="lab", id="", switch="", caller="", at="", seconds=""), Reason.FILTERED_BY_SOURCE),
    (CSV, A + cdr(caller="0"), Reason.FILTERED_BY_SOURCE),
    (CSV, A + cdr(id="", switch="", seconds="x"), Reason.FIELD_MISSING),
    (IDENTIFIED, A + cdr(id="", zone="", at="x", seconds="x"), Reason.IDENTITY_MISSING),
    (CSV, A + cdr(switch="b", at="x", seconds="x"), Reason.UNKNOWN_EVENT_TYPE),
    (CSV, A + cdr(at="x", seconds="x"), Reason.INVALID_TIMESTAMP),
    (cloudevents(), event(id=7, subject=None), Reason.MALFORMED_RECORD),
    (
        cloudevents(mapping={"filters": [{"field": "subject", "keep": ["1"]}]}),
        event(id=None),
        Reason.FILTERED_BY_SOURCE,
    ),
    (r151(), xml(Index(POWER, doubt="1", value=None)), Reason.FILTERED_BY_SOURCE),
    (r151(), xml(Index(doubt="1", value="x")), Reason.INVALID_QUANTITY),
]


@pytest.mark.parametrize(("source", "data", "reason"), PRECEDENCE)
def test_of_several_reasons_the_first_by_rule_is_given(source: Source, data: bytes, reason: Reason) -> None:
    assert [record.reason for block in blocks_of(source, data) for record in records_of(block)] == [reason]


def test_chosen_records_of_a_block_still_say_why() -> None:
    decoder = make_decoder(context(CSV))
    lines = [cdr(), cdr(at="x"), b"1,2", cdr(seconds="y")]
    [block] = blocks_of(decoder, A + b"\n".join(lines))
    chosen = select_records(block, np.array([1, 2, 3]))
    assert chosen.record.tolist() == [1, 2, 3]
    assert [describe(decoder, chosen, row) for row in range(3)] == [
        "at is 'x'",
        "2 fields instead of 6",
        "seconds is 'y'",
    ]
    assert raws(records_of(chosen)) == lines[1:]


def test_kernels_repeat_the_vocabularys_constants() -> None:
    names = {name: value for name, value in vars(reasons).items() if name.isupper()}
    assert names == {name: Reason[name] for name in names}
    assert (timestamps.MIN_US, timestamps.MAX_US) == (TIMESTAMP_MIN_US, TIMESTAMP_MAX_US)
    assert quantities.QUANTITY_MAX == QUANTITY_MAX
    assert encoding.RAW_KEPT == RAW_BYTES_MAX + 1


def test_the_usual_lines_of_this_table_are_good() -> None:
    assert A + cdr() + B == CDR_HEADER + CDR_LINE
    for source, data in ((CSV, A + cdr()), (cloudevents(), event()), (r151(), xml(Index()))):
        assert [record.reason for block in blocks_of(source, data) for record in records_of(block)] == [Reason.NONE]
