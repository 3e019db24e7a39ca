"""The stages on partitions, without Kafka: repeats, epochs, gaps, images and messages that hurt only themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from cli_calls import ANA, BOB, CATALOG, STRANGER, WITH_STRANGER, call, write_catalog
from hypothesis import given
from hypothesis import strategies as st

from billing.catalog.store import load_catalog
from pipelines.activation import decode_context
from pipelines.mediation.decode import Decoder, make_decoder
from pipelines.partitions.account import AccountPartition, LogHasGap
from pipelines.partitions.decoding import Decoded, decode_raw
from pipelines.partitions.images import Shelf, in_force
from pipelines.partitions.keys import partitions_of_keys
from pipelines.partitions.resource import ResourcePartition, UnableToRepartition
from pipelines.snapshot import StageState
from schemas.frames import UnableToReadFrame, from_frame, to_frame
from schemas.log_place import OFFSETS, Log, LogPlace, activation_claim
from schemas.source_base import Filter
from schemas.stream_blocks import CdrMessage, EdrMessage, RawBlock

NOW = 1_793_500_000_000_000
LINES = "format: delimited\nheader: false\ncolumns: [id, caller, at, seconds]"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    root = tmp_path_factory.mktemp("shelf")
    found = {}
    for number, text in ((1, CATALOG), (2, WITH_STRANGER)):
        write_catalog(root / str(number), text.replace("format: delimited", LINES))
        found[number] = load_catalog(root / str(number) / "catalog")
    return found.__getitem__


@pytest.fixture(scope="module")
def decoder(shelf: Shelf) -> Decoder:
    return _decoder(shelf, 1)


def _decoder(shelf: Shelf, number: int) -> Decoder:
    state = StageState.empty()
    found = in_force(None, number, state, shelf)
    return make_decoder(decode_context(found.catalog, "calls", state, tenant="main", secret=b"s" * 16))


def raw(messages: Sequence[str], first: int = 0, origin: str = "usage.calls.raw.v1/0") -> RawBlock:
    values = [message.encode() + b"\n" for message in messages]
    n = len(values)
    payload = np.frombuffer(b"".join(values), np.uint8)
    return RawBlock(
        "calls", origin, payload, np.cumsum([len(v) for v in values]), np.arange(first, first + n), np.full(n, NOW)
    )


def decoded(block: RawBlock, decoder: Decoder, *, image: int = 1, partitions: int = 1) -> Decoded:
    return decode_raw(block, decoder, image=image, window_days=None, partitions=partitions)


def resource(shelf: Shelf) -> ResourcePartition:
    return ResourcePartition(0, 1, "main", shelf)


def messages_of(block: RawBlock, decoder: Decoder, **given: int) -> list[CdrMessage]:
    return [message for _, message in decoded(block, decoder, **given).messages]


def test_a_message_that_never_closes_its_quote_takes_no_other_with_it(decoder: Decoder) -> None:
    found = messages_of(raw([call(1), '"never closed', call(2), "", call(3)]), decoder)
    assert [offset for message in found for offset in message.offset.tolist()] == [0, 1, 2, 4]
    assert [reason != 0 for message in found for reason in message.cdrs.reason.tolist()] == [False, True, False, False]


def test_each_record_is_sent_to_one_partition_with_its_own_bytes(decoder: Decoder) -> None:
    lines = [call(number, 60, (ANA, BOB)[number % 2]) for number in range(200)]
    by_offset = {}
    for partition, message in decoded(raw(lines), decoder, partitions=3).messages:
        cdrs = message.cdrs
        for row, offset in enumerate(message.offset.tolist()):
            by_offset[offset] = bytes(cdrs.raw[cdrs.raw_start[row] : cdrs.raw_end[row]])
            text = bytes(cdrs.text[cdrs.access_start[row] : cdrs.access_end[row]]).decode()
            assert text == (ANA, BOB)[offset % 2]
            assert int(cdrs.key_lo[row] % np.uint64(3)) == partition
    assert by_offset == {offset: line.encode() for offset, line in enumerate(lines)}


def test_repeats_of_any_cut_are_dropped_silently(decoder: Decoder, shelf: Shelf) -> None:
    stage = resource(shelf)
    blocks = [
        raw([call(n) for n in range(0, 5)]),
        raw([call(n) for n in range(3, 8)], 3),
        raw([call(n) for n in range(5)]),
    ]
    received = []
    for offset, block in enumerate(blocks):
        (message,) = messages_of(block, decoder)
        output = stage.take(offset, NOW, message)
        received.append(0 if output is None else output.sheet.header.received)
    assert received == [5, 3, 0]
    other = stage.take(3, NOW, messages_of(raw([call(1)], origin="usage.calls.raw.v1/1"), decoder)[0])
    assert other is not None
    assert other.sheet.header.duplicate == 1  # from another partition it is a record that came twice


def test_output_is_the_same_after_a_restart_from_any_block(decoder: Decoder, shelf: Shelf) -> None:
    log = [messages_of(raw([call(10 * n + k, 60 + k) for k in range(4)], 4 * n), decoder)[0] for n in range(4)]
    whole, account = resource(shelf), AccountPartition(0, "main", shelf)
    frames = [_through(whole, account, offset, message) for offset, message in enumerate(log)]
    for cut in range(1, 4):
        first, second = resource(shelf), AccountPartition(0, "main", shelf)
        for offset in range(cut):
            _through(first, second, offset, log[offset])
        again, accounts = resource(shelf), AccountPartition(0, "main", shelf)
        again.restore(first.state, first.facts())
        accounts.restore(second.state, second.facts())
        assert [_through(again, accounts, offset, log[offset]) for offset in range(cut, 4)] == frames[cut:]


def _through(stage: ResourcePartition, account: AccountPartition, offset: int, message: CdrMessage) -> bytes:
    output = stage.take(offset, NOW, from_frame(CdrMessage, to_frame(message)))
    assert output is not None
    ((_, edrs),) = output.edrs
    rated = account.take(offset, NOW, 1, from_frame(EdrMessage, to_frame(edrs)))
    assert rated is not None
    return to_frame(output.sheet) + to_frame(rated)


def _edrs(decoder: Decoder, shelf: Shelf, count: int) -> list[EdrMessage]:
    stage = resource(shelf)
    found = []
    for offset in range(count):
        output = stage.take(offset, NOW, messages_of(raw([call(offset)], offset), decoder)[0])
        assert output is not None
        found.append(output.edrs[0][1])
    return found


def test_a_worker_that_lost_its_partition_counts_no_more(decoder: Decoder, shelf: Shelf) -> None:
    log = _edrs(decoder, shelf, 4)
    account = AccountPartition(0, "main", shelf)
    taken = [
        account.take(place, NOW, epoch, log[number]) is not None
        for place, (epoch, number) in enumerate([(1, 0), (1, 1), (2, 0), (1, 2), (2, 1), (2, 2), (1, 3), (2, 3)])
    ]
    assert taken == [True, True, False, False, False, True, False, True]


def test_a_lost_block_stops_the_partition(decoder: Decoder, shelf: Shelf) -> None:
    log = _edrs(decoder, shelf, 3)
    account = AccountPartition(0, "main", shelf)
    account.take(0, NOW, 1, log[0])
    with pytest.raises(LogHasGap, match="follows 1024"):
        account.take(1, NOW, 1, log[2])
    assert account.take(1, NOW, 1, log[1]) is not None


def test_a_catalog_takes_effect_with_the_first_block_made_under_it(decoder: Decoder, shelf: Shelf) -> None:
    stage = resource(shelf)
    reasons = []
    for offset, image in enumerate((1, 2, 1)):
        (message,) = messages_of(raw([call(offset, caller=STRANGER)], offset), _decoder(shelf, image), image=image)
        output = stage.take(offset, NOW, message)
        assert output is not None
        reasons.append(output.sheet.header.rejected)
    assert reasons == [1, 0, 0]  # what was read under the earlier one comes later, and finds the later one in force


def test_a_source_that_is_gone_is_taken_by_the_terms_it_was_read_under(decoder: Decoder, shelf: Shelf) -> None:
    stage = resource({1: shelf(1), 2: replace(shelf(2), sources={})}.__getitem__)
    (message,) = messages_of(raw([call(1)]), decoder)
    stage.image = in_force(None, 2, stage.state, stage.shelf)
    output = stage.take(0, NOW, message)
    assert output is not None
    assert output.sheet.header.accepted == 1


def test_one_message_holds_no_more_records_than_a_block_can_number(decoder: Decoder, shelf: Shelf) -> None:
    found = decoded(raw([call(1), "x\n" * 17_000, call(2)]), decoder)
    assert [(dead.index, dead.code) for dead in found.dead] == [(1, "TOO_MANY_RECORDS")]
    assert [offset for _, message in found.messages for offset in message.offset.tolist()] == [0, 2]


def test_partitions_of_another_number_are_refused(shelf: Shelf, decoder: Decoder) -> None:
    stage = resource(shelf)
    stage.take(0, NOW, messages_of(raw([call(1)]), decoder)[0])
    with pytest.raises(UnableToRepartition, match="log 2 has 2 partitions, the snapshots were made with 1"):
        ResourcePartition(0, 2, "main", shelf).restore(stage.state, stage.facts())


def test_frames_of_something_else_are_refused(decoder: Decoder) -> None:
    (message,) = messages_of(raw([call(1)]), decoder)
    frame = to_frame(message)
    with pytest.raises(UnableToReadFrame, match="holds a CdrMessage, not a EdrMessage"):
        from_frame(EdrMessage, frame)
    for damaged in (b"", b"nonsense", frame[:100], frame[: len(frame) // 2]):
        with pytest.raises(UnableToReadFrame):
            from_frame(CdrMessage, damaged)
    for foreign in ({"end": [1]}, {"end": [[1]]}, {"source": ["x"]}, {"end": [["x"]]}):
        batch = pa.record_batch(foreign).replace_schema_metadata({b"facts": b'{"": "RawBlock"}'})
        with pa.ipc.new_stream(sink := pa.BufferOutputStream(), batch.schema) as writer:
            writer.write_batch(batch)
        with pytest.raises(UnableToReadFrame):
            from_frame(RawBlock, sink.getvalue().to_pybytes())
    good = raw([call(1), call(2)])
    wrong: dict[str, Any]
    for wrong in ({"end": good.end[::-1]}, {"payload": good.payload[:-1]}, {"offset": good.offset[:1]}):
        with pytest.raises(ValueError, match="messages"):
            replace(good, **wrong)
    again = from_frame(CdrMessage, frame)
    assert again.cdrs.key_hi.flags.writeable
    assert to_frame(again) == frame
    assert to_frame(replace(again, words=["x"])) != frame


@given(st.sampled_from(Log), st.integers(0, 2047), st.integers(0, 2**34))
def test_places_are_claims_and_back(log: Log, partition: int, offset: int) -> None:
    place = LogPlace(log, partition, offset)
    position = place.position
    assert LogPlace.of(position.claim, position.block) == place
    assert activation_claim(4095) < position.claim < 2**32
    assert position.first_record + 131_071 < 2**32
    later = LogPlace(log, partition, offset + 1).position
    assert (later.claim, later.block) > (position.claim, position.block)


def test_a_place_beyond_all_claims_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond what claims can number"):
        LogPlace(Log.ACCOUNT, 2048, 0)
    with pytest.raises(ValueError, match="beyond what claims can number"):
        LogPlace(Log.ACCOUNT, 0, 2**20 * OFFSETS)
    with pytest.raises(ValueError, match="is an activation"):
        LogPlace.of(7, 0)


def _murmur2(key: bytes) -> int:
    """What Kafka's Java client computes, by its definition."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    for at in range(0, len(key) - 3, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    tail = key[len(key) // 4 * 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@given(st.lists(st.text(max_size=20), max_size=20), st.integers(1, 50))
def test_keys_lie_where_the_java_client_puts_them(keys: list[str], count: int) -> None:
    expected = [(_murmur2(key.encode()) & 0x7FFFFFFF) % count for key in keys]
    assert partitions_of_keys(pl.Series(keys, dtype=pl.String), count).tolist() == expected


def test_a_key_of_kafkas_own_tests() -> None:
    assert _murmur2(b"21") == -973932308 % 2**32
    assert _murmur2(b"a-little-bit-long-string") == -985981536 % 2**32


def test_a_refusal_keeps_the_words_of_whoever_refused(shelf: Shelf) -> None:
    catalog = shelf(1)
    source = catalog.sources["calls"]
    filters = (Filter(field="seconds", keep=("60",)),)
    filtered = source.model_copy(update={"mapping": source.mapping.model_copy(update={"filters": filters})})  # type: ignore[attr-defined]
    state = StageState.empty()
    found = in_force(None, 1, state, shelf)
    context = decode_context(found.catalog, "calls", state, tenant="main", secret=b"s" * 16)
    decoder = make_decoder(replace(context, source=filtered))
    lines = [call(1), call(2, 61), "nonsense", call(3, 61), call(4, caller=STRANGER), "a,b"]
    details: list[str] = []
    stage = resource(shelf)
    for offset, message in enumerate(messages_of(raw(lines), decoder)):
        output = stage.take(offset, NOW, message)
        assert output is not None
        details += output.sheet.rejections.column("detail").to_pylist()
    assert details == ["1 fields instead of 4", "no access point has this identifier", "2 fields instead of 4"]
