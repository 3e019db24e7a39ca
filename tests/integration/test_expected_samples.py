"""The expected totals of the public samples, computed again by hand, and what the stages make of the samples."""

from __future__ import annotations

import csv
import math
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.recount import Recount
from tests.integration.expected_samples import (
    ASTERISK,
    ASTERISK_SAMPLE,
    FIXED_WIDTH,
    FIXED_WIDTH_SAMPLE,
    FOCUS,
    FOCUS_SAMPLE,
    FOCUS_STRANGER,
    R151,
    R151_SAMPLE,
    write_sample_catalog,
)
from tests.integration.stages_in_memory import run_stages

SAMPLES = {
    "asterisk": (ASTERISK_SAMPLE, ASTERISK),
    "fixed_width": (FIXED_WIDTH_SAMPLE, FIXED_WIDTH),
    "focus": (FOCUS_SAMPLE, FOCUS),
    "r151": (R151_SAMPLE, R151),
}
BILLION = 10**9


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_stages_come_to_what_is_expected(tmp_path: Path, name: str) -> None:
    sample, expected = SAMPLES[name]
    write_sample_catalog(name, tmp_path)
    assert expected.balanced()
    assert run_stages(tmp_path, name, [sample]) == expected


def test_asterisk_by_hand() -> None:
    with ASTERISK_SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[14] for row in rows] == ["ANSWERED", "NO ANSWER", "ANSWERED"]
    assert rows[0] == rows[2]
    assert rows[0][9] == "2026-01-15 19:58:23"
    seconds = 60 + math.ceil(Fraction(int(rows[0][13]) - 60, 7)) * 7
    amount = Fraction(seconds, 60) * Fraction("0.2345") + Fraction("0.05")
    assert ASTERISK.amount_by_charge == {"voice": math.floor(amount * 10**6 + Fraction(1, 2)) * 1000}
    assert ASTERISK.quantity_by_charge == {"voice": int(rows[0][13]) * 1000}


def test_fixed_width_by_hand() -> None:
    header, *records, trailer = FIXED_WIDTH_SAMPLE.read_text("ascii").splitlines()
    assert header[:3] == "HDR"
    assert (trailer[:3], int(trailer[13:23]), int(trailer[23:])) == ("TRL", len(records), 240)
    assert [len(record) for record in records] == [74] * FIXED_WIDTH.records
    calls = [record for record in records if record[:2] == "20"]
    assert [(record[2:18].strip(), record[36:50], int(record[50:56])) for record in calls] == [
        ("33612345678", "20260115195830", 240),
        ("33612345678", "20260115201000", 0),
    ]
    seconds = 60 + math.ceil(Fraction(240 - 60, 7)) * 7
    amount = Fraction(seconds, 60) * Fraction("0.2345") + Fraction("0.05")
    assert FIXED_WIDTH.amount_by_charge == {"voice": math.floor(amount * 10**6 + Fraction(1, 2)) * 1000}
    assert FIXED_WIDTH.rated_quantity_by_charge == {"voice": seconds * 1000}


def test_r151_by_hand() -> None:
    text = R151_SAMPLE.read_text("utf-8")
    consumed = {}
    for name, opening in (("HCB", 15_668_000), ("HCH", 6_107_897), ("HPB", 12_818_285)):
        after = text.partition(f"<Id_Classe_Temporelle>{name}</Id_Classe_Temporelle>")[2]
        consumed[name] = int(after.partition("<Valeur>")[2].partition("</Valeur>")[0]) - opening
    prices = {"HCB": Decimal("0.1234"), "HCH": Decimal("0.1234"), "HPB": Decimal("0.1789")}
    expected = {
        f"electricity-{name.lower()}": int(round(Decimal(wh) / 1000 * prices[name], 6) * BILLION)
        for name, wh in consumed.items()
    }
    assert expected == R151.amount_by_charge
    assert text.count("<Valeur>") == R151.records


def _round(value: Fraction, mode: str) -> int:
    """Return a value in whole units of its last place."""
    match mode:
        case "up":
            return math.ceil(value)
        case "half_even":
            return round(value)
        case _:
            return math.floor(value + Fraction(1, 2))


def _transfer_price(position: Fraction) -> Fraction:
    """Return what the first `position` GB of a month cost."""
    middle = min(position, Fraction("1.5")) - Fraction("0.01")
    return max(middle, Fraction(0)) * Fraction("0.0937") + max(position - Fraction("1.5"), Fraction(0)) * Fraction(
        "0.0511"
    )


def test_focus_by_hand() -> None:
    kinds = {
        "GB": "transfer", "GB-Months": "storage", "GB Months": "storage", "GB/Month": "storage", "Hours": "running",
        "Requests": "requests", "API Requests": "requests", "Units": "units",
    }  # fmt: skip
    scale = {"transfer": 10**15, "storage": 10**15, "running": 10**12, "requests": 1}
    with FOCUS_SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    outcome: Counter[str] = Counter()
    rated: Counter[str] = Counter()
    quantity: Counter[str] = Counter()
    rated_quantity: Counter[str] = Counter()
    amount: Counter[str] = Counter()
    transferred: dict[str, Fraction] = {}
    for row in rows:
        kind = kinds.get(row["ConsumedUnit"])
        if row["ChargeCategory"] != "Usage":
            outcome["filtered"] += 1
            continue
        if kind is None:
            outcome["UNKNOWN_EVENT_TYPE"] += 1
            continue
        used = Fraction(row["ConsumedQuantity"])
        if used < 0:
            outcome["NEGATIVE_QUANTITY"] += 1
            continue
        if row["SubAccountId"] == FOCUS_STRANGER:
            outcome["UNKNOWN_ACCESS_POINT"] += 1
            continue
        outcome["accepted"] += 1
        if kind == "units":
            outcome["NO_MATCHING_CHARGE"] += 1
            continue
        charge, billed = kind, used
        if kind == "transfer":
            before = transferred.get(row["SubAccountId"], Fraction(0))
            transferred[row["SubAccountId"]] = before + used
            cost = _round((_transfer_price(before + used) - _transfer_price(before)) * BILLION, "half_up")
        elif kind == "storage":
            cost = _round(used * Fraction("0.023125") * BILLION, "up")
        elif kind == "requests":
            cost = _round(used * Fraction("0.4321") / 1_000_000 * BILLION, "half_even")
        elif row["ProviderName"] == "AWS":
            charge = "running-aws"
            cost = _round(used * Fraction("0.0116") * 10**6, "half_up") * 1000
        else:
            charge = "running-other"
            billed = Fraction(0) if not used else max(Fraction(1), 1 + Fraction(math.ceil((used - 1) * 4), 4))
            cost = _round(billed * Fraction("0.0208") * 10**6, "half_up") * 1000
        rated[charge] += 1
        quantity[charge] += int(used * scale[kind])
        rated_quantity[charge] += int(billed * scale[kind])
        amount[charge] += cost
    rejected = ("NEGATIVE_QUANTITY", "UNKNOWN_ACCESS_POINT", "UNKNOWN_EVENT_TYPE")
    assert Recount(
        records=len(rows),
        accepted=outcome["accepted"],
        filtered=outcome["filtered"],
        rejected_by_reason={reason: outcome[reason] for reason in rejected},
        rated=sum(rated.values()),
        unrated_by_reason={"NO_MATCHING_CHARGE": outcome["NO_MATCHING_CHARGE"]},
        rated_by_charge=dict(rated),
        quantity_by_charge=dict(quantity),
        rated_quantity_by_charge=dict(rated_quantity),
        amount_by_charge=dict(amount),
        amount_by_currency={"USD": sum(amount.values())},
    ) == FOCUS  # fmt: skip
