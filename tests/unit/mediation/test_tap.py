"""TAP files: what is taken, what is refused and in which words, where what is computed comes from."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from mediation_tap import decoder, found, tap
from mediation_world import context, reasons

from benchmarks.generate.roaming import audit_of, bcd, head_of, number, stamp, time_of, tlv, write_tap
from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.tap import batch
from pipelines.mediation.tap.decoder import TapDecoder

AT = 1_777_000_000
HEAD = head_of("GBRAA", "FRAF1", 7)
STRICT = decoder(tap("charge", "tax", "chargeRefund", "discount", "chargeableUnits"))
LENIENT = decoder(tap("charge", audit=False))


def call(*parts: bytes, tag: int = 9) -> bytes:
    """Return a call of ten seconds."""
    return tlv(tag, bcd(129, "208010000000010"), time_of(44, AT), number(223, 10), number(184, 1), *parts)


def detail(charge: int, kind: bytes = b"00") -> bytes:
    """Return a charge detail."""
    return tlv(63, tlv(71, kind), number(62, charge), number(65, 100 + charge))


def file_of(*events: bytes, tail: bytes | None = None, head: bytes = HEAD) -> bytes:
    """Return a file; by default it says that its events cost nothing."""
    said = audit_of(len(events), 0, 0, AT - 3_600, AT - 3_600) if tail is None else tail
    return tlv(1, head, tlv(3, *events, held=True), said)


def failure(data: bytes, compiled: TapDecoder = STRICT) -> UnableToDecodeFile:
    """Return how a file is refused."""
    with pytest.raises(UnableToDecodeFile) as raised:
        check_file(compiled, io.BytesIO(data))
    return raised.value


def test_the_format_chooses_the_decoder() -> None:
    assert isinstance(make_decoder(context(tap())), TapDecoder)


def test_a_call_without_charges_costs_nothing_and_says_so_by_an_empty_field() -> None:
    (row,) = found(STRICT, file_of(call()))
    assert isinstance(row, dict)
    assert row["subscriber"] == "208010000000010"
    assert (row["duration"], row["recEntity"], row["event"]) == ("10", "192.0.2.20", "mobileOriginatedCall")
    assert row["startTime"].endswith("+01:00")
    assert "charge" not in row


def test_money_is_the_sum_of_what_counts() -> None:
    content = [
        tlv(352, number(344, 1), detail(500), tlv(213, number(397, 9), held=True)),
        tlv(352, number(344, 0), detail(70), tlv(96, number(91, 1), number(412, 3))),
    ]
    event = call(
        detail(1), detail(20), detail(4_000, b"01"), number(422, 300), tlv(213, number(397, 5), held=True), *content
    )
    tail = tlv(
        15, stamp(101, AT - 3_600), stamp(133, AT), number(415, 391), number(226, 5), number(225, 3), number(355, 500),
        number(353, 9), number(43, 1),
    )  # fmt: skip
    (row,) = found(STRICT, file_of(event, tail=tail))
    assert isinstance(row, dict)
    assert {name: row[name] for name in ("charge", "tax", "discount", "chargeRefund", "chargeableUnits")} == {
        "charge": "0.00391", "tax": "0.00005", "discount": "0.00003", "chargeRefund": "0.00500", "chargeableUnits": "101",
    }  # fmt: skip


def test_the_charge_of_a_messaging_event_stands_alone() -> None:
    tail = audit_of(1, 77, 0, AT, AT)
    (row,) = found(STRICT, file_of(tlv(433, number(62, 77), held=True), tail=tail))
    assert isinstance(row, dict)
    assert (row["charge"], row["event"]) == ("0.00077", "messagingEvent")


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (audit_of(2, 0, 0, AT - 3_600, AT), "callEventDetailsCount is 2, the file has 1 events"),
        (audit_of(1, 5, 0, AT - 3_600, AT), "totalCharge is 5, the events come to 4 (with 5 decimals)"),
        (audit_of(1, 4, 6, AT - 3_600, AT), "totalTaxValue is 6, the events come to 0 (with 5 decimals)"),
        (
            audit_of(1, 4, 0, AT - 3_599, AT),
            "earliestCallTimeStamp is 2026-04-24T02:06:41Z, an event started at 2026-04-24T02:06:40Z",
        ),
        (audit_of(1, 4, 0, AT - 9_999, AT - 3_601), "latestCallTimeStamp is 2026-04-24T02:06:39Z, an event started at"),
        (audit_of(1, 4, 0, AT + 1, AT), "earliestCallTimeStamp 2026-04-24T03:06:41Z is after latestCallTimeStamp"),
        (tlv(15, number(415, 4), held=True), "no callEventDetailsCount"),
        (tlv(15, number(43, 1), held=True), "no totalCharge"),
        (
            tlv(15, number(415, 4), number(43, 1), tlv(101, tlv(16, b"2026"), held=True)),
            "'2026' where a time should be",
        ),
        (b"", "1 events and no auditControlInfo"),
    ],
)
def test_sums_that_are_wrong_are_told_with_both_numbers(tail: bytes, words: str) -> None:
    refused = failure(file_of(call(detail(4)), tail=tail))
    assert refused.code == "AUDIT_MISMATCH"
    assert words in refused.message
    assert len(found(LENIENT, file_of(call(detail(4)), tail=tail))) == 1


def test_sums_are_exact_beyond_64_bits() -> None:
    big = 1 << 62
    events = [call(detail(big)), call(detail(big)), call(detail(big)), call(detail(-5))]
    tail = audit_of(4, 3 * big - 5, 0, AT - 3_600, AT)
    assert len(found(STRICT, file_of(*events, tail=tail))) == 4
    assert (
        "13835058055282163708, the events come to 13835058055282163707"
        in failure(file_of(*events, tail=audit_of(4, 3 * big - 4, 0, AT - 3_600, AT))).message
    )
    refused = failure(file_of(call(detail(big), detail(1)), tail=tail))
    assert refused.code == "AMOUNT_OVERFLOW"


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"hello", "WRONG_FLOW", "does not begin as a TAP file"),
        (tlv(1, number(41, 2), held=True), "WRONG_FLOW", "NRTRDE"),
        (tlv(1, tlv(5, tlv(135, b"EUR"), held=True), held=True), "WRONG_FLOW", "batchControlInfo"),
        (tlv(535, tlv(196, b"X"), held=True), "WRONG_FLOW", "RAP"),
        (b"\x61", "MALFORMED_BER", "byte 0"),
        (file_of(call())[:-1], "MALFORMED_BER", "the file says that it has"),
        (file_of(call()) + b"\0\0x", "MALFORMED_BER", "follow the end"),
        (file_of(call(b"\x5f\x81")), "MALFORMED_BER", "byte "),
        (file_of(call(tlv(129, tlv(4, b""), held=True))), "MALFORMED_BER", "not of the form that its tag has"),
        (file_of(b"\x30\x00"), "MALFORMED_BER", "byte "),
        (file_of(call(), head=head_of("", "FRAF1", 1)), "MALFORMED_HEADER", "no sender"),
        (file_of(call(), head=HEAD.replace(number(189, 12), number(189, 13))), "UNSUPPORTED_VERSION", "TAP 3.13"),
        (file_of(call(), head=HEAD.replace(b"+0100", b"0100+")), "MALFORMED_HEADER", "'0100+', not ±hhmm"),
        (
            file_of(call(), head=HEAD.replace(number(244, 5), number(244, 99))),
            "MALFORMED_HEADER",
            "tapDecimalPlaces is 99",
        ),
        (file_of(call(), head=HEAD.replace(number(159, 5), number(159, 99))), "MALFORMED_HEADER", "exchange rate 0"),
        (file_of(call(), head=HEAD.replace(number(184, 1), number(184, 0))), "MALFORMED_HEADER", "the code 0 twice"),
        (file_of(call(detail(4)), head=HEAD.replace(number(244, 5), b"")), "MALFORMED_BER", ""),
        (file_of(call(), head=head_of("GBRAA", "FRAF1", 7, test=True)), "TEST_FILE", "file 00007 of GBRAA"),
        (tlv(2, tlv(196, b"A"), tlv(182, b"B"), held=True), "MALFORMED_HEADER", "no fileSequenceNumber"),
    ],
)
def test_files_that_are_refused_whole(data: bytes, code: str, words: str) -> None:
    refused = failure(data)
    assert (refused.code, words in refused.message) == (code, True), refused


def test_charges_need_decimals() -> None:
    control = head_of("GBRAA", "FRAF1", 7).partition(tlv(135, b"GBP"))[0]
    control = control[: control.rindex(b"\x65")]
    refused = failure(file_of(call(detail(4)), head=control, tail=audit_of(1, 4, 0, AT, AT)))
    assert (refused.code, "no tapDecimalPlaces" in refused.message) == ("MALFORMED_HEADER", True)
    assert len(found(STRICT, file_of(call(), head=control, tail=audit_of(1, 0, 0, 0, 1 << 31)))) == 1


def test_a_notification_an_empty_file_and_a_file_without_events_have_no_records() -> None:
    notification = tlv(2, tlv(196, b"A"), tlv(182, b"B"), tlv(109, b"00001"), number(201, 3), number(189, 12))
    for data in (notification, notification + bytes(9), b"", file_of(), tlv(1, HEAD, audit_of(0, 0, 0, 0, 0))):
        assert found(STRICT, data) == []
    assert failure(notification + b"x").code == "MALFORMED_BER"


def test_events_without_a_known_offset_or_kind_are_rejected_alone() -> None:
    unknown_offset = tlv(9, bcd(129, "208010000000010"), time_of(44, AT, 9), number(223, 10))
    data = file_of(call(), unknown_offset, call(tag=13), tail=audit_of(3, 0, 0, AT - 3_600, AT))
    assert reasons(STRICT, data) == ["NONE", "TIMESTAMP_WITHOUT_ZONE", "UNKNOWN_EVENT_TYPE"]
    block = next(iter(decode_blocks(STRICT, io.BytesIO(data), claim=1)))
    assert describe(STRICT, block, 2) == "event is 'unknown'"


def test_zeros_after_the_end_are_padding() -> None:
    assert len(found(STRICT, file_of(call()) + bytes(3_000))) == 1


def test_a_mapping_names_what_tap_has() -> None:
    with pytest.raises(UnableToCompileSource, match="no element or computed field 'imsy'"):
        decoder(tap("imsy"))


def test_events_and_edges_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    short = decoder(tap(record_bytes_max=256, audit=False))
    long = call(tlv(163, b"x" * 300))
    assert failure(file_of(call(), long), short).code == "RECORD_TOO_LONG"
    monkeypatch.setattr(batch, "EDGE_BYTES", len(file_of()) - 4)
    assert len(found(LENIENT, file_of(call(), call(), long))) == 3
    monkeypatch.setattr(batch, "EDGE_BYTES", 150)
    assert "do not begin within 150 bytes" in failure(file_of(call())).message
    padded = tlv(4, *([number(201, 3)] * 10))
    monkeypatch.setattr(batch, "EDGE_BYTES", len(HEAD) + 40)
    assert "bytes follow the events" in failure(file_of(call(), tail=padded * 20)).message


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for indefinite in (False, True):
        data = write_tap(tmp_path / "g.tap", records=3, subscribers=5, seed=1, indefinite=indefinite).read_bytes()
        for end in range(1, len(data)):
            assert isinstance(found(STRICT, data[:end]), str), end
        assert len(found(STRICT, data)) == 3


def test_generated_files_are_the_same_for_the_same_seed_and_right_at_any_size(tmp_path: Path) -> None:
    one = write_tap(tmp_path / "a", records=50_000, subscribers=500, seed=1)
    two = write_tap(tmp_path / "b", records=50_000, subscribers=500, seed=1)
    assert one.read_bytes() == two.read_bytes()
    assert (
        write_tap(tmp_path / "c", records=100, subscribers=500, seed=2).read_bytes()[300:]
        != one.read_bytes()[300:][:20_000]
    )
    with one.open("rb") as file:
        check_file(STRICT, file)
    with one.open("rb") as file:
        blocks = list(decode_blocks(STRICT, file, claim=1, block_bytes=1 << 20))
    assert sum(map(len, blocks)) == 50_000
    assert len(blocks) > 5
    assert not any(block.reason.any() for block in blocks)
