"""The public TAP samples, field by field as pycrate reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mediation_tap import ALL, Fields, decoder, found, tap, value_text
from mediation_tap_twin import tap_twin
from mediation_world import reasons
from pycrate_asn1dir.TAP3 import TAP_0312

from benchmarks.generate.roaming import write_tap
from pipelines.mediation.kernels.ber_text import INTEGER
from pipelines.mediation.tap.fields import AMOUNT_FIELDS, CHOICES, LOOK_UPS
from pipelines.mediation.tap.head import FILE_FIELDS
from pipelines.mediation.tap.tags import TIMES, VALUES

LENIENT = decoder(tap(*ALL, audit=False, accept_test_files=True))
STRICT = decoder(tap())
WITH_EVENTS = {
    "tap_3_12_valid.ber": 4, "tap_3_12_valid_att.ber": 4, "tap_3_12_valid_replaced.ber": 4,
    "tap_3_12_valid_some_cdr_indefinite.ber": 4, "tap_3_12_negative_volume.ber": 1, "tap_3_12_negative_volume_fixed.ber": 1,
    "asn1c_sample-DataInterChange-1.ber": 5, "own_tap_1000_events.tap": 1000,
}  # fmt: skip
COMPUTED = {*AMOUNT_FIELDS, *CHOICES, *LOOK_UPS, *FILE_FIELDS, "event"}


def pycrate(data: bytes) -> dict[str, Any]:
    """Return a transfer batch as pycrate reads it."""
    TAP_0312.DataInterChange.from_ber(data)
    kind, value = TAP_0312.DataInterChange.get_val()
    assert kind == "transferBatch"
    return dict(value)


class _Reference:
    """The fields of one event as pycrate has them: the first of each name, and the amounts that count."""

    def __init__(self, batch: dict[str, Any], name: str, event: Any) -> None:
        offsets = batch.get("networkInfo", {}).get("utcTimeOffsetInfo", [])
        self._offsets = {item["utcTimeOffsetCode"]: item["utcTimeOffset"].decode() for item in offsets}
        self.fields: dict[str, str] = {"event": name}
        self.amounts = dict.fromkeys(("charge", "tax", "discount"), 0)
        self._walk(name, event, total=True)

    def _walk(self, name: str, value: Any, *, total: bool) -> None:
        name = {"recEntity": "recEntityCode", "recEntityCodeList": "recEntityCode"}.get(name, name)
        if isinstance(value, dict) and name in TIMES:
            digits, offset = value["localTimeStamp"].decode(), self._offsets[value["utcTimeOffsetCode"]]
            d = digits
            text = f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:]}{offset[:3]}:{offset[3:]}"
            self.fields.setdefault(name, text)
        elif isinstance(value, dict):
            total = total if "chargeType" not in value else value["chargeType"] == b"00"
            for inner, held in value.items():
                self._walk(inner, held, total=total)
        elif isinstance(value, list):
            for held in value:
                self._walk(name, held, total=total)
        elif isinstance(value, tuple):
            self._walk(value[0], value[1], total=total)
        else:
            self._value(name, value, total=total)

    def _value(self, name: str, value: Any, *, total: bool) -> None:
        amount = {"charge": "charge", "camelInvocationFee": "charge", "taxValue": "tax", "discount": "discount"}.get(
            name
        )
        if amount is not None and (total or amount != "charge"):
            self.amounts[amount] += value
        if name not in COMPUTED and (total or name not in ("chargeableUnits", "chargedUnits")):
            kind = VALUES[name][1]
            assert isinstance(value, int) == (kind == INTEGER)
            self.fields.setdefault(name, str(value) if kind == INTEGER else value_text(kind, value))


@pytest.mark.parametrize("name", WITH_EVENTS)
def test_every_field_is_as_pycrate_reads_it(name: str, samples: Path) -> None:
    data = (samples / "telco/tap3" / name).read_bytes()
    expect_as_pycrate(data, WITH_EVENTS[name])


def expect_as_pycrate(data: bytes, count: int) -> None:
    """Compare all events of a file, and their amounts with what the file says they come to."""
    batch, rows = pycrate(data), found(LENIENT, data)
    assert isinstance(rows, list)
    assert len(rows) == len(batch["callEventDetails"]) == count
    control = batch["batchControlInfo"]
    sums = dict.fromkeys(("charge", "tax", "discount"), 0)
    for row, (name, event) in zip(rows, batch["callEventDetails"], strict=True):
        reference = _Reference(batch, name, event)
        assert {key: text for key, text in row.items() if key not in COMPUTED} == {
            key: text for key, text in reference.fields.items() if key != "event"
        }
        assert row["event"] == name
        for amount, total in reference.amounts.items():
            assert int(row.get(amount, "0").replace(".", "")) == total
            sums[amount] += total
        assert [row[key].encode() for key in ("sender", "recipient", "fileSequenceNumber")] == [
            control[key] for key in ("sender", "recipient", "fileSequenceNumber")
        ]
    if name_of(data) == "own":
        audit = batch["auditControlInfo"]
        assert [sums["charge"], sums["tax"], len(rows)] == [
            audit["totalCharge"], audit["totalTaxValue"], audit["callEventDetailsCount"],
        ]  # fmt: skip


def name_of(data: bytes) -> str:
    """Return "own" for the files whose sums are right."""
    return "own" if b"GBRAA" in data[:64] else ""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nrt_2_1.ber", "WRONG_FLOW"),
        ("rap_ack.ber", "WRONG_FLOW"),
        ("rap_mini.ber", "WRONG_FLOW"),
        ("tap_3_12_valid.ber", "AUDIT_MISMATCH"),
        ("tap_3_12_negative_volume.ber", "AUDIT_MISMATCH"),
        ("asn1c_sample-DataInterChange-1.ber", "AUDIT_MISMATCH"),
        ("own_tap_1000_events.tap", "TEST_FILE"),
        ("tap_notification.ber", ""),
    ],
)
def test_which_samples_are_taken(name: str, code: str, samples: Path) -> None:
    data = (samples / "telco/tap3" / name).read_bytes()
    assert found(STRICT, data) == (code or [])
    assert tap_twin(tap(), data, ()) == (code or [])


def test_the_public_test_file_is_taken_when_the_source_says_so(samples: Path) -> None:
    rows = found(
        decoder(tap("charge", accept_test_files=True)), (samples / "telco/tap3/own_tap_1000_events.tap").read_bytes()
    )
    assert isinstance(rows, list)
    assert sum(int(row["charge"].replace(".", "")) for row in rows) == 1_366_500
    assert rows[1]["startTime"] == "2026-01-15T12:00:00+00:00"


@pytest.mark.parametrize("name", ["tap_3_12_valid_att.ber", "tap_3_12_valid_some_cdr_indefinite.ber"])
def test_indefinite_lengths_read_as_definite_ones(name: str, samples: Path) -> None:
    folder = samples / "telco/tap3"
    assert found(LENIENT, (folder / name).read_bytes()) == found(LENIENT, (folder / "tap_3_12_valid.ber").read_bytes())


def test_a_negative_volume_is_rejected_by_its_record(samples: Path) -> None:
    source = tap(
        audit=False,
        mapping={"quantity": {"field": "dataVolumeIncoming", "unit": "B"}, "event_type": {"constant": "data"}},
    )
    folder = samples / "telco/tap3"
    assert reasons(decoder(source), (folder / "tap_3_12_negative_volume.ber").read_bytes()) == ["NEGATIVE_QUANTITY"]
    assert reasons(decoder(source), (folder / "tap_3_12_negative_volume_fixed.ber").read_bytes()) == ["NONE"]


@pytest.mark.parametrize("records", [0, 1, 23])
def test_generated_files_read_as_pycrate_reads_them_in_both_forms(records: int, tmp_path: Path) -> None:
    read: list[Fields | str] = []
    for indefinite in (False, True):
        path = write_tap(tmp_path / "g.tap", records=records, subscribers=9, seed=5, indefinite=indefinite)
        expect_as_pycrate(path.read_bytes(), records)
        read.append(found(decoder(tap(*ALL)), path.read_bytes()))
    assert read[0] == read[1]
    assert len(read[0]) == records
