"""The delimited decoder and its plain-Python twin agree on every record, wherever the file is cut into blocks."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mediation_delimited import decode_twin
from mediation_world import CDR_HEADER, decode, delimited

from schemas.source import DelimitedSource

SOURCE = delimited()
PLAIN_TEXT = st.one_of(
    st.sampled_from([b"", b"1", b"EU", b"33611", b"2026-05-01 10:00:00", b"2026-10-25T02:30:00.25", b"60", b"1.5"]),
    st.text(st.sampled_from("ab1 .-é€\U0001f4b6\t'"), max_size=9).map(str.encode),
)
WILD_BYTES = st.lists(
    st.sampled_from([b",", b";", b'"', b'""', b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3\xa9", b"x", b"1", b" "]),
    max_size=30,
).map(b"".join)


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b'"', b'""') + b'"'


@st.composite
def cdr_lines(draw: Any) -> bytes:
    """Return a line that is nearly right: usual values, some quoted, a field too few or too many now and then."""
    fields = [
        draw(st.one_of(st.sampled_from([b"1", b"2", b""]), PLAIN_TEXT)),
        draw(st.sampled_from([b"a", b"", b"NULL"])),
        draw(st.one_of(st.just(b"33611"), PLAIN_TEXT)),
        draw(st.one_of(st.just(b"2026-05-01 10:00:00"), PLAIN_TEXT)),
        draw(st.one_of(st.just(b"61.5"), PLAIN_TEXT)),
        draw(st.sampled_from([b"EU", b"US", b"", b"zone with a long name \xe2\x82\xac", b"x" * 16, b"x" * 17])),
    ]
    if draw(st.integers(0, 3)) == 0:
        fields[5] = draw(
            st.sampled_from([b"2026-05-01 10:00:30", b"2026-05-01 09:00:00", b"10:00:30", b"2026-05-01 10:00:00.0001"])
        )
    fields = [_quoted(text + draw(st.sampled_from([b"", b"\n", b",", b'"']))) if draw(st.integers(0, 5)) == 0 else text
              for text in fields]  # fmt: skip
    fields = fields[: draw(st.sampled_from([6, 6, 6, 6, 5]))] + [b"more"] * draw(st.sampled_from([0, 0, 0, 0, 1]))
    return b",".join(fields) + draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"]))


bodies = st.lists(st.one_of(cdr_lines(), cdr_lines(), WILD_BYTES), max_size=12).map(b"".join)
cuts = st.one_of(st.integers(1, 40), st.integers(41, 4000))


@given(body=bodies, block_bytes=cuts, head_bytes=st.integers(40, 200), step=st.sampled_from([0, 0, 1, 7, 64]))
def test_decoder_and_twin_agree(body: bytes, block_bytes: int, head_bytes: int, step: int) -> None:
    data = CDR_HEADER + body
    found = decode(SOURCE, data, block_bytes=block_bytes, head_bytes=head_bytes, step=step)
    assert found == decode_twin(SOURCE, data)


def _variants() -> list[DelimitedSource]:
    columns = ("id", "switch", "caller", "at", "seconds", "zone")
    mapping: dict[str, Any] = {
        "identity": ["id"],
        "event_type": {"field": "switch", "values": {"a": "call", "": "data", "é": "ticket"}},
        "quantity": {"field": "seconds", "excess_decimals": "half_up"},
        "attributes": {"zone": "zone", "way": "switch"},
    }
    filters = [{"field": "zone", "keep": ["EU", "", "x" * 16, "x" * 17]}, {"field": "id", "drop": ["2"]}]
    constant = {"quantity": {"constant": 3, "unit": "min"}, "time": {"field": "at"}, "filters": filters}
    rich: dict[str, Any] = {
        "identity": ["id", "caller", "at", "seconds", "zone"],
        "time": {
            "field": "at",
            "format": "pattern",
            "pattern": ["YYYY-MM-DD hh:mm:ss", "YYYY-MM-DD'T'hh:mm:ss.f"],
            "zone": "UTC",
        },
        "quantity": {"field": "seconds", "decimal": ",", "thousands": ".", "unit": "s"},
        "required": ["switch"],
        "filters": [{"field": "id", "max": 1}, {"field": "caller", "prefix": ["49", "33"]}],
        "converters": {
            "caller": [{"e164": {"country": "49", "short_max": 2}}],
            "zone": [{"map": {"": "EU", "1": "US"}, "default": "US"}],
            "seconds": [{"map": {"61.5": "61,5"}}],
        },
    }
    between: dict[str, Any] = {"quantity": {"between": ["at", "zone"]}, "filters": [{"field": "zone", "present": True}]}
    return [
        delimited(header=False, columns=columns, columns_min=4, quoting="none", rest=True, mapping=rich),
        delimited(header=False, columns=columns, columns_min=2, mapping=rich | between),
        delimited(
            header=False, columns=columns, quoting="none", delimiter=";", mapping={"time": {"fields": ["at", "zone"]}}
        ),
        delimited(header=False, columns=columns, null="NULL", mapping=mapping),
        delimited(header=False, columns=columns, encoding="latin-1", delimiter=";", mapping=mapping),
        delimited(header=False, columns=columns, encoding="latin-1", null="1", mapping=constant),
        delimited(header=False, columns=(*columns, "more"), record_bytes_max=256, mapping=constant),
        delimited(header=False, columns=columns, mapping={"time": {"field": "seconds", "format": "epoch_s"}}),
    ]


VARIANTS = _variants()


@given(variant=st.sampled_from(VARIANTS), body=bodies, block_bytes=cuts, long=st.sampled_from([0, 0, 300, 70_000]))
def test_every_kind_of_source_agrees_with_the_twin(
    variant: DelimitedSource, body: bytes, block_bytes: int, long: int
) -> None:
    data = b"\n" * 256 + body.replace(b",", variant.delimiter.encode()) + b"x" * long  # blank lines are no records
    assert decode(variant, data, block_bytes=block_bytes, head_bytes=64) == decode_twin(variant, data)
