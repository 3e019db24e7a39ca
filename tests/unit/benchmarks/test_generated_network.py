"""Generated P-GW records: what the reference decoder says of them, repetitions, sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
from mediation_ber import split_file
from ts32298_reference import choice_of

from benchmarks.generate.network import RATING_GROUPS, RECORD_BYTES, write_network
from pipelines.mediation.ber.splitter import BerSplitter
from pipelines.mediation.ber.tree import compile_tags
from pipelines.mediation.ber.ts32298.records import record_kinds

SERVICE = "listOfServiceData."
FIELDS = (
    "localSequenceNumber", "servedIMSI", "servedMSISDN", "recordOpeningTime", "duration", "causeForRecClosing",
    SERVICE + "ratingGroup", SERVICE + "localSequenceNumber", SERVICE + "timeOfFirstUsage", SERVICE + "timeUsage",
    SERVICE + "datavolumeFBCUplink", SERVICE + "datavolumeFBCDownlink",
)  # fmt: skip
TREE = compile_tags(record_kinds(), FIELDS, wanted=("pGWRecord",), each=("listOfServiceData",))


def rows(data: bytes) -> list[dict[str, str]]:
    return [dict(zip(FIELDS, texts, strict=True)) for _, _, texts in split_file(BerSplitter(TREE, 1 << 20), data)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    paths = write_network(
        tmp_path_factory.mktemp("pgw"), records=3_000, subscribers=50, seed=7, files=3, duplicate_every=10
    )
    assert [path.name for path in paths] == ["pgw-0001.ber", "pgw-0002.ber", "pgw-0003.ber"]
    return [path.read_bytes() for path in paths]


def test_records_have_one_length_and_two_services(written: list[bytes]) -> None:
    assert [len(data) for data in written] == [1_000 * RECORD_BYTES] * 3
    assert RECORD_BYTES == 354
    found = rows(b"".join(written))
    assert len(found) == 6_000
    assert {int(row[SERVICE + "ratingGroup"]) for row in found} == set(RATING_GROUPS)
    assert [row[SERVICE + "localSequenceNumber"] for row in found] == ["1", "2"] * 3_000
    assert all(int(row[SERVICE + "timeUsage"]) <= int(row["duration"]) for row in found)


def test_the_reference_decoder_reads_the_same(written: list[bytes]) -> None:
    reference = choice_of("packet")
    found = rows(written[0])
    for number in range(0, 1_000, 97):
        reference.from_ber(written[0][number * RECORD_BYTES : (number + 1) * RECORD_BYTES])
        name, value = reference.get_val()
        assert name == "pGWRecord"
        for row, service in zip(found[2 * number : 2 * number + 2], value["listOfServiceData"], strict=True):
            assert row["localSequenceNumber"] == str(value["localSequenceNumber"])
            assert row["duration"] == str(value["duration"])
            assert row[SERVICE + "ratingGroup"] == str(service["ratingGroup"])
            assert row[SERVICE + "datavolumeFBCUplink"] == str(service["datavolumeFBCUplink"])
            assert row[SERVICE + "datavolumeFBCDownlink"] == str(service["datavolumeFBCDownlink"])


def test_each_tenth_record_repeats_an_earlier_one(written: list[bytes]) -> None:
    data = b"".join(written)
    records = [data[at : at + RECORD_BYTES] for at in range(0, len(data), RECORD_BYTES)]
    assert len(set(records)) == 3_000 - 299
    numbers = [int(row["localSequenceNumber"]) for row in rows(data)[::2]]
    assert [n for n, number in enumerate(numbers) if number != n] == list(range(19, 3_000, 10))


def test_numbers_and_times(written: list[bytes]) -> None:
    found = rows(b"".join(written))
    assert {len(row["servedIMSI"]) for row in found} == {15}
    assert {row["servedMSISDN"][:3] for row in found} == {"336"}
    assert {row["recordOpeningTime"][:7] for row in found} == {"2026-09", "2026-10"}
    assert found[0]["recordOpeningTime"] == "2026-09-30T22:00:00+00:00"
    assert all(row["recordOpeningTime"] <= row[SERVICE + "timeOfFirstUsage"] for row in found)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, written: list[bytes]) -> None:
    again = write_network(tmp_path / "again", records=3_000, subscribers=50, seed=7, files=3, duplicate_every=10)
    other = write_network(tmp_path / "other", records=3_000, subscribers=50, seed=8, files=3, duplicate_every=10)
    assert [path.read_bytes() for path in again] == written
    assert other[0].read_bytes() != written[0]
