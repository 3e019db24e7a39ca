"""Sources of Diameter messages: real captures to the octets that were used, what is refused and in which words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from mediation_diameter import CONTAINER, MAPPING, acr, decoder, diameter
from mediation_radius import found
from mediation_world import context, decode, quantity

from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.diameter.captures import CaptureSheet, read_capture
from pipelines.mediation.diameter.decoder import PIECE_BYTES, DiameterDecoder
from pipelines.mediation.diameter.fields import write_all
from pipelines.mediation.diameter.messages import Avp, Header, Message, encode_message
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from schemas.quantity import BUILT_IN_UNITS
from schemas.rejection import Reason
from schemas.source import DiameterSource

SERVICES = "Multiple-Services-Credit-Control"
USED = f"{SERVICES}.Used-Service-Unit.CC-Total-Octets"
CREDIT: dict[str, Any] = {
    "identity": ["Session-Id", "CC-Request-Number", f"{SERVICES}.Rating-Group"],
    "access_point": "Subscription-Id.IMSI",
    "time": {"field": "Event-Timestamp"},
    "quantity": {"field": USED, "unit": "B"},
    "event_type": {"constant": "data"},
    "filters": [{"field": "message", "keep": ["CCR"]}],
}


def credit(**changes: Any) -> DiameterSource:
    document = {"kind": "source", "code": "gy", "format": "diameter", "messages": ["CCR"], "each": SERVICES}
    return DiameterSource.model_validate(document | {"mapping": CREDIT} | changes)


@pytest.mark.parametrize(
    ("name", "requests", "octets"),
    [("gx_gy_combined_03_210505_132953-1", 14, 27_500), ("gx_gy_combined_05_210505_133111-1", 5, 7_500)],
)
def test_captures_of_a_gateway(samples: Path, name: str, requests: int, octets: int) -> None:
    """The captures' own totals, as shared/reference/telco.md §2.4 has them from tshark; answers and Gx are filtered."""
    with (samples / f"telco/diameter/{name}.pcapng").open("rb") as stream:
        data = b"".join(each.data for each in read_capture(stream, CaptureSheet()))
    compiled = decoder(credit())
    seen = [fields for _, _, fields in found(compiled, data) if fields]
    gy = {(each[b"s"], each[b"n"]) for each in ({b"s": f["Session-Id"], b"n": f["CC-Request-Number"]} for f in seen
          if f.get(f"{SERVICES}.Rating-Group"))}  # fmt: skip
    assert sum(int(fields.get(USED, b"0")) for fields in seen) == octets
    assert len(gy) <= requests
    assert {fields["message"] for fields in seen} == {b"CCR"}


def test_each_container_is_a_record_with_what_is_around_it() -> None:
    containers = [{"Rating-Group": group, "Local-Sequence-Number": group, "Accounting-Input-Octets": 2**40 + group,
                   "Time-First-Usage": 1_790_000_000} for group in (7, 8)]  # fmt: skip
    whose = [{"Subscription-Id-Type": kind, "Subscription-Id-Data": data} for kind, data in ((1, "2080"), (0, "336"))]
    ps = {"Service-Data-Container": containers, "GGSN-Address": "192.0.2.1", "3GPP-SGSN-MCC-MNC": "20801"}
    raw = acr({"Service-Information": {"PS-Information": ps, "Subscription-Id": whose}, "Session-Id": "late"})
    rows = [fields for _, _, fields in found(decoder(diameter()), raw)]
    shared = {
        "Session-Id": b"late", "Service-Information.Subscription-Id.E164": b"336", "message": b"ACR",
        "Service-Information.PS-Information.GGSN-Address": b"192.0.2.1",
    }  # fmt: skip
    for group, row in zip((7, 8), rows, strict=True):
        own = {f"{CONTAINER}.Rating-Group": str(group), f"{CONTAINER}.Accounting-Input-Octets": str(2**40 + group)}
        assert {name: row[name] for name in (*shared, *own)} == shared | {n: v.encode() for n, v in own.items()}
        assert row[f"{CONTAINER}.Time-First-Usage"] == b"2026-09-21T14:13:20Z"


def test_refusals_say_what_is_wrong() -> None:
    compiled = decoder(diameter())
    watchdog = encode_message(Message(Header(0x80, 280, 0, 1, 1), tuple(write_all({"Origin-Host": "a"}))))
    damaged = bytearray(acr({"Session-Id": "s", "Origin-Host": "h"}))
    damaged[27] = 255
    nested = acr((Avp(873, 10415, 0xC0, b"\0\0\0\1\x40\0\0\x20"),))
    (block,) = decode_blocks(compiled, io.BytesIO(watchdog + bytes(damaged) + nested), claim=1)
    reasons = [Reason(int(reason)) for reason in block.reason]
    assert reasons == [Reason.FILTERED_BY_SOURCE, Reason.MALFORMED_RECORD, Reason.MALFORMED_RECORD]
    assert describe(compiled, block, 0) == "the message is a DWR, which the source does not read"
    assert describe(compiled, block, 1).startswith("AVP 263 says 255 bytes")
    assert describe(compiled, block, 2).startswith("an AVP does not fit its group")


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (b"\2\0\0\x14" + bytes(16), r"byte 20: .* not version 2 and 20"), (b"\1\0\0\x13" + bytes(16), "version 1 and 19"),
        (b"\1\0\0\x18" + bytes(16), "byte 20: the file ends within a message"), (b"\1\0", "ends within a message"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_messages_is_quarantined(tail: bytes, words: str) -> None:
    with pytest.raises(UnableToDecodeFile, match=words) as failure:
        check_file(decoder(diameter()), io.BytesIO(acr(()) + tail))
    assert failure.value.code == "MALFORMED_PACKET"


def test_messages_longer_than_a_piece_are_stepped_over() -> None:
    long = acr((Avp(263, 0, 0x40, bytes(PIECE_BYTES + 1000)),))
    compiled = decoder(diameter())
    check_file(compiled, io.BytesIO(acr(()) + long + acr(())))
    (first, second, third) = (reason for _, reason, _ in found(compiled, acr(()) + long + acr(()), block_bytes=4096))
    assert (first, second, third) == (0, Reason.RECORD_TOO_LONG, 0)
    with pytest.raises(UnableToDecodeFile, match="ends within a message"):
        check_file(compiled, io.BytesIO(acr(()) + long[:-8]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"each": "Session-Id"}, "'Session-Id' is a value, not a group"),
        ({"each": "Service-Information.PS-Information.Service-Data-Container.QoS-Information"}, "more than 3 groups deep"),
        ({"mapping": CREDIT | {"access_point": "Service-Informations"}}, "do you mean 'Service-Information'"),
        ({"mapping": CREDIT | {"access_point": "Service-Information"}}, "is a group: write one of its AVPs"),
        ({"mapping": CREDIT | {"access_point": "User-Name.Class"}}, "User-Name is a value: nothing is in it"),
        ({"mapping": CREDIT | {"access_point": "User-Name:word"}}, "is read as one of text, integer"),
        ({"mapping": CREDIT | {"access_point": "Vendor-0-1"}}, "there is no AVP 'Vendor-0-1'"),
        ({"mapping": CREDIT | {"access_point": "AVP-4294967296"}}, "there is no AVP"),
        ({"mapping": CREDIT | {"access_point": "Subscription-Id:text"}}, "is a group: it is read as its AVPs are"),
        ({"mapping": CREDIT | {"identity": ["AVP-9", "AVP-9.AVP-8"]}}, "a value in one field and a group in another"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UnableToCompileSource, match=words):
        make_decoder(context(credit(**changes)))


def test_usage_is_what_its_fields_add_up_to() -> None:
    container = {"Rating-Group": 1, "Local-Sequence-Number": 1, "Time-First-Usage": 1_790_000_000, "Accounting-Input-Octets": 30,
                 "Accounting-Output-Octets": 12}  # fmt: skip
    whose = [{"Subscription-Id-Type": 0, "Subscription-Id-Data": "336"}]
    raw = acr({"Session-Id": "s", "Accounting-Record-Number": 4, "Accounting-Record-Type": 3, "Service-Information": {
        "Subscription-Id": whose, "PS-Information": {"Service-Data-Container": [container]}}})  # fmt: skip
    source = DiameterSource.model_validate(
        {
            "kind": "source",
            "code": "rf",
            "format": "diameter",
            "messages": ["ACR"],
            "each": CONTAINER,
            "mapping": MAPPING,
        }
    )
    compiled = make_decoder(context(source))
    assert isinstance(compiled, DiameterDecoder)
    (record,) = decode(compiled, raw)
    assert (record.reason, quantity(record)) == (0, 42 * BUILT_IN_UNITS["B"].step_count)
