"""Keys and contents: the same record has the same, whatever carries it; another record has others."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

from containers import zip_streamed, zip_wide, zipped, zstd_frame, zstd_skippable
from hypothesis import given
from hypothesis import strategies as st
from mediation_world import CDR_COLUMNS, Record, blocks_of, content, context, decode, delimited, key, records_of

from pipelines.mediation.container import check_container, open_container
from pipelines.mediation.decode import decode_blocks, make_decoder

SOURCE = delimited()
DECODER = make_decoder(context(SOURCE))
FIELDS = {"id": "1", "switch": "a", "caller": "33611", "at": "2026-05-01 10:00:00", "seconds": "61.5", "zone": "EU"}
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=40)


def written(
    rows: list[dict[str, str]],
    columns: tuple[str, ...] = CDR_COLUMNS,
    *,
    end: str = "\n",
    quoting: int = csv.QUOTE_MINIMAL,
) -> bytes:
    """Return a file as the csv module writes it."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def one(**changes: str) -> Record:
    """Return the usual record, changed."""
    [record] = decode(DECODER, written([FIELDS | changes]))
    assert record.reason == 0
    return record


PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:]),
    lambda data: zstd_frame(data[:20]) + zstd_skippable(data) + zstd_frame(data[20:], checksum=False),
    zipped,
    zip_streamed,
    zip_wide,
)


def read_from(packed: bytes) -> list[Record]:
    """Return the records of a file in whatever container."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "usage"
        path.write_bytes(packed)
        info = check_container(path, size=len(packed), bytes_max=1 << 20, ratio_max=100)
        with open_container(path, info.kind, size=info.stored_bytes) as stream:
            blocks = decode_blocks(DECODER, stream, claim=9, block_bytes=7)
            return [record for block in blocks for record in records_of(block)]


@given(first=texts, second=texts, caller=texts, order=st.permutations(CDR_COLUMNS), end=st.sampled_from(["\n", "\r\n"]),
       before=st.integers(0, 5), block_bytes=st.integers(1, 500), pack=st.sampled_from(PACKERS))  # fmt: skip
def test_the_same_record_has_one_key_and_content_in_any_file(
    first: str,
    second: str,
    caller: str,
    order: list[str],
    end: str,
    before: int,
    block_bytes: int,
    pack: Callable[[bytes], bytes],
) -> None:
    row = FIELDS | {"id": first, "switch": second, "caller": caller}
    plain = one(id=first, switch=second, caller=caller)
    others = [FIELDS | {"id": str(n)} for n in range(before)]
    data = written([*others, row], tuple(order), end=end, quoting=csv.QUOTE_ALL)
    found = decode(DECODER, data, block_bytes=block_bytes, head_bytes=64)
    assert found[-1].rest == plain.rest
    assert read_from(pack(data)) == found


@given(first=st.tuples(texts, texts), second=st.tuples(texts, texts))
def test_records_share_a_key_only_if_they_share_every_identity_field(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    keys = [key(one(id=identity, switch=switch)) for identity, switch in (first, second)]
    assert (keys[0] == keys[1]) == (first == second)


@given(text=texts, cut=st.integers(0, 39), other=st.integers(0, 39))
def test_where_one_field_ends_and_the_next_begins_matters(text: str, cut: int, other: int) -> None:
    """("ab", "c") is not ("a", "bc"), neither as an identity nor as content."""
    cut, other = min(cut, len(text)), min(other, len(text))
    keys = [key(one(id=text[:at] + "x", switch=text[at:])) for at in (cut, other)]
    split = [key(one(id="x" + text[:at], switch=text[at:])) for at in (cut, other)]
    assert (keys[0] == keys[1]) == (split[0] == split[1]) == (cut == other)
    contents = [content(one(caller="x" + text[:at], zone=text[at:])) for at in (cut, other)]
    assert (contents[0] == contents[1]) == (cut == other)


CHANGES = {"caller": "33612", "at": "2026-05-01 10:00:01", "seconds": "61.50", "zone": "US"}


def test_any_other_mapped_field_is_content_and_not_identity() -> None:
    usual = one()
    changed = [one(**{name: value}) for name, value in CHANGES.items()]
    assert {key(record) for record in changed} == {key(usual)}
    assert len({content(record) for record in (usual, *changed)}) == 1 + len(CHANGES)


def test_contents_are_compared_under_one_key_only() -> None:
    assert content(one(id="1")) != content(one(id="2"))


def test_columns_that_are_not_mapped_are_neither() -> None:
    [record] = decode(DECODER, written([FIELDS | {"note": "x"}], (*CDR_COLUMNS, "note")))
    assert record.rest == one().rest


def test_a_key_depends_on_tenant_source_and_secret() -> None:
    other_source = delimited(code="cdr2")
    data = written([FIELDS])
    decoders = [
        DECODER,
        make_decoder(context(SOURCE, tenant="acme2")),
        make_decoder(context(SOURCE, secret=bytes(16))),
        make_decoder(context(other_source)),
        make_decoder(context(delimited(code="2"), tenant="acmecdr")),
        make_decoder(context(delimited(mapping={"identity": ["switch", "id"]}))),
    ]
    assert len({key(decode(decoder, data)[0]) for decoder in decoders}) == len(decoders)
    assert len({decode(decoder, data)[0].rest[2] for decoder in decoders}) == 1  # the access point depends on none


def test_naming_an_identity_field_twice_changes_nothing() -> None:
    twice = delimited(mapping={"identity": ["id", "switch", "id"]})
    assert decode(twice, written([FIELDS])) == decode(DECODER, written([FIELDS]))


def test_halves_of_a_file_equal_the_file() -> None:
    rows = [FIELDS | {"id": str(n), "seconds": str(n)} for n in range(500)]
    whole = decode(DECODER, written(rows))
    assert decode(DECODER, written(rows[:200])) + decode(DECODER, written(rows[200:])) == whole
    assert len(blocks_of(DECODER, written(rows), block_bytes=1000, head_bytes=100)) > 10
