"""Sources become decoders, or say what is wrong; blocks are bounded and numbered; the head of a file is checked."""

from __future__ import annotations

import io
from typing import Any

import pytest
from mediation_world import (
    CDR_COLUMNS,
    CDR_HEADER,
    CDR_LINE,
    Source,
    blocks_of,
    cloudevents,
    context,
    decode,
    delimited,
    r151,
    reasons,
)

from pipelines.mediation.decode import BLOCK_BYTES, BLOCK_BYTES_MAX, check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.delimited.decoder import DelimitedDecoder
from pipelines.mediation.enedis.r151 import R151Decoder
from pipelines.mediation.events.decoder import JsonDecoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from schemas.cdr import BlockPosition, CdrBlock
from schemas.price_plan import EventType
from schemas.rejection import EXPLANATIONS, Reason


@pytest.mark.parametrize(
    ("source", "kind"), [(delimited(), DelimitedDecoder), (cloudevents(), JsonDecoder), (r151(), R151Decoder)]
)
def test_the_format_chooses_the_decoder(source: Source, kind: type) -> None:
    assert isinstance(make_decoder(context(source)), kind)


def _mapped(**mapping: Any) -> Source:
    return delimited(mapping=mapping)


REFUSED: list[tuple[Source, str]] = [
    (delimited(delimiter="é"), "delimiter"),
    (delimited(delimiter='"'), "delimiter"),
    (delimited(delimiter="\n"), "delimiter"),
    (delimited(delimiter="\r"), "delimiter"),
    (delimited(delimiter="\0"), "delimiter"),
    (delimited(columns=CDR_COLUMNS), "remove `columns`"),
    (delimited(header=False), "list the names"),
    (delimited(header=False, columns=(*CDR_COLUMNS, "at")), "'at' named more than once"),
    (delimited(header=False, columns=("id", "switch")), "'caller', 'at', 'seconds', 'zone' not among"),
    (_mapped(time={"field": "at", "zone": "Mars/Olympus"}), "no time zone 'Mars/Olympus'"),
    (_mapped(time={"field": "at", "zone": "../../etc/passwd"}), "no time zone"),
    (_mapped(time={"field": "at", "zone": "Europe/Paris", "format": "epoch_s"}), "remove the zone 'Europe/Paris'"),
    (_mapped(event_type={}), "either `constant` or `field`"),
    (_mapped(event_type={"constant": "call", "field": "switch"}), "either `constant` or `field`"),
    (_mapped(event_type={"field": "switch"}), "list the `values` of 'switch'"),
    (_mapped(event_type={"constant": "call", "values": {"a": "call"}}), "`values` need a `field`"),
    (_mapped(event_type={"constant": "fax"}), "no event type 'fax' (known: call, data, power, sale, ticket)"),
    (_mapped(event_type={"field": "switch", "values": {"a": "fax"}}), "no event type 'fax'"),
    (_mapped(attributes={"colour": "zone"}), "declares the attribute 'colour'"),
    (_mapped(quantity={}), "one of `field`, `fields`, `between` and `constant`"),
    (_mapped(quantity={"field": "seconds", "constant": 1}), "one of `field`, `fields`, `between` and `constant`"),
    (_mapped(quantity={"field": "seconds", "unit": "parsec"}), "no unit 'parsec'"),
    (_mapped(quantity={"field": "seconds", "unit": "GB"}), "'GB' (data) does not convert into 's' (time)"),
    (_mapped(quantity={"constant": 2**62 // 3_600_000 + 1, "unit": "h"}), "larger than a quantity can be"),
    (_mapped(filters=[{"field": "zone"}]), "`present` for 'zone'"),
    (_mapped(filters=[{"field": "zone", "keep": ["a"], "drop": ["b"]}]), "one of `keep`, `drop`"),
    (cloudevents(mapping={"identity": ["id"]}), "`source` and `id`"),
    (cloudevents(mapping={"identity": ["id", "source", "type"]}), "`source` and `id`"),
    (cloudevents(mapping={"access_point": "data..who"}), "'data..who' is not a path"),
    (cloudevents(mapping={"access_point": ".data"}), "is not a path"),
    (r151(event_type="fax"), "no event type 'fax'"),
    (r151(event_type="call"), "'Wh' (energy) does not convert into 's' (time)"),
]


@pytest.mark.parametrize(("source", "says"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_source_that_contradicts_itself_is_refused(source: Source, says: str) -> None:
    with pytest.raises(UnableToCompileSource) as failure:
        make_decoder(context(source))
    assert says in str(failure.value)


def test_an_event_type_must_have_a_unit_that_exists() -> None:
    types = {"call": EventType(kind="event_type", code="call", unit="furlong")}
    with pytest.raises(UnableToCompileSource, match="no unit 'furlong'"):
        make_decoder(context(delimited(mapping={"attributes": {}}), event_types=types))


def test_an_event_type_must_be_in_the_vocabulary() -> None:
    with pytest.raises(UnableToCompileSource, match="no event type 'call'"):
        make_decoder(context(delimited(), event_type_codes={"data": 1}))


@pytest.mark.parametrize("secret", [b"", bytes(15), bytes(17)])
def test_a_secret_has_sixteen_bytes(secret: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        context(delimited(), secret=secret)


def test_a_constant_quantity_may_be_the_largest() -> None:
    source = _mapped(quantity={"constant": 2**62, "unit": "ms"})
    assert decode(source, CDR_HEADER + CDR_LINE)[0].rest[4] == 2**62


def test_an_attribute_takes_the_slot_its_event_type_gives_it() -> None:
    source = _mapped(
        event_type={"field": "switch", "values": {"a": "call", "b": "data", "": "ticket"}},
        attributes={"zone": "zone", "way": "caller"},
        quantity={"constant": 1},
    )
    lines = CDR_LINE.replace(b"33611", b"out") + CDR_LINE.replace(b"a,", b"b,") + CDR_LINE.replace(b"a,", b",")
    found = decode(source, CDR_HEADER + lines + CDR_LINE.replace(b"EU", b"Mars"))
    # "way" is the first attribute of "call" and "zone" its second; "data" has only "zone"; "ticket" has none
    assert [record.rest[6] for record in found] == [(4, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert [record.rest[5] for record in found] == [3, 5, 11, 3]
    assert [record.rest[4] for record in found] == [1000, 1000, 10**15, 1000]  # 1 s, 1 kB, 1 token in base steps


def test_filters_keep_or_drop_what_they_name() -> None:
    keep = _mapped(filters=[{"field": "zone", "keep": ["EU", "a value of more than sixteen bytes"]}])
    lines = [
        CDR_LINE.replace(b"EU", zone) for zone in (b"EU", b"EUR", b"", b"a value of more than sixteen bytes", b"eu")
    ]
    expected = ["NONE", "FILTERED_BY_SOURCE", "FILTERED_BY_SOURCE", "NONE", "FILTERED_BY_SOURCE"]
    assert reasons(keep, CDR_HEADER + b"".join(lines)) == expected
    drop = _mapped(filters=[{"field": "zone", "drop": ["EU", "a value of more than sixteen bytes"]}])
    opposite = {"NONE": "FILTERED_BY_SOURCE", "FILTERED_BY_SOURCE": "NONE"}
    assert reasons(drop, CDR_HEADER + b"".join(lines)) == [opposite[reason] for reason in expected]
    assert reasons(_mapped(filters=[{"field": "zone", "keep": [""]}]), CDR_HEADER + b"".join(lines))[2] == "NONE"


@pytest.mark.parametrize("prefix", ["v", "12345678", "long name ", "a name of more bytes than are remembered "])
def test_look_ups_remember_no_wrong_answer(prefix: str) -> None:
    """Thousands of texts share the few places in which a look-up remembers answers."""
    values = {f"{prefix}{n}": ("call" if n % 3 else "data") for n in range(3_000)}
    source = _mapped(event_type={"field": "switch", "values": values}, quantity={"constant": 1})
    numbers = [n % 4_000 for n in range(0, 80_000, 7)]
    lines = [CDR_LINE.replace(b"a,", f"{prefix}{n},".encode()) for n in numbers]
    codes = [record.rest[5] if record.rest else None for record in decode(source, CDR_HEADER + b"".join(lines))]
    assert codes == [(3 if n % 3 else 5) if n < 3_000 else None for n in numbers]


@pytest.mark.parametrize("block_bytes", [0, -1, BLOCK_BYTES_MAX + 1])
def test_a_block_size_out_of_range_is_refused_at_once(block_bytes: int) -> None:
    with pytest.raises(ValueError, match="block_bytes must be"):
        decode_blocks(make_decoder(context(delimited())), io.BytesIO(), claim=1, block_bytes=block_bytes)
    assert 1 <= BLOCK_BYTES <= BLOCK_BYTES_MAX


def test_blocks_stay_near_the_size_asked_for() -> None:
    for source, data in ((delimited(), CDR_HEADER + CDR_LINE * 20_000), (cloudevents(), b'{"id":"1"}\n' * 50_000)):
        for block in blocks_of(source, data, block_bytes=100_000, head_bytes=500):
            assert len(block.raw) <= 100_001


def test_a_file_that_was_not_checked_is_still_refused() -> None:
    with pytest.raises(UnableToDecodeFile, match="MISSING_COLUMN"):
        list(decode_blocks(make_decoder(context(delimited())), io.BytesIO(b"a,b\n1,2\n"), claim=1))


@pytest.mark.parametrize("data", [b'{"id":"1"}'.decode().encode("utf-16"), b"{\x00}\x00", b"\xfe\xff\x00{"])
def test_events_in_another_encoding_are_refused_whole(data: bytes) -> None:
    with pytest.raises(UnableToDecodeFile, match="WRONG_ENCODING"):
        check_file(make_decoder(context(cloudevents())), io.BytesIO(data))


def test_a_block_of_another_making_is_described_by_its_reason() -> None:
    decoder = make_decoder(context(delimited()))
    [block] = blocks_of(decoder, CDR_HEADER + CDR_LINE.replace(b"61.5", b"x"))
    plain = CdrBlock(**{name: getattr(block, name) for name in CdrBlock.__slots__})
    assert plain.position == BlockPosition(7, 0, 0)
    assert describe(decoder, plain, 0) == EXPLANATIONS[Reason.INVALID_QUANTITY]


def test_a_long_value_is_shortened_where_it_is_shown() -> None:
    decoder = make_decoder(context(delimited()))
    [block] = blocks_of(decoder, CDR_HEADER + CDR_LINE.replace(b"61.5", b"9x" * 500))
    assert describe(decoder, block, 0) == "seconds is '" + "9x" * 28 + "9" + "…'"
