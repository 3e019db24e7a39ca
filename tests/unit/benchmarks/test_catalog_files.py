"""The shipped catalogs: every document fits its model, and the tables name what the generators write."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from benchmarks.catalogs.write import (
    write_cloud_catalog,
    write_electricity_catalog,
    write_roaming_catalog,
    write_telephony_catalog,
)
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import prm_numbers, write_meters
from benchmarks.generate.telephony import write_telephony
from schemas.price_plan import (
    Calendar,
    Charge,
    Counter,
    EventType,
    Offer,
    PricePlan,
    SubscriptionTable,
    UnitDocument,
)
from schemas.source import SOURCE_MODELS

MODELS: dict[str, TypeAdapter[Any]] = {
    "unit": TypeAdapter(UnitDocument),
    "event_type": TypeAdapter(EventType),
    "calendar": TypeAdapter(Calendar),
    "counter": TypeAdapter(Counter),
    "price_plan": TypeAdapter(PricePlan),
    "charge": TypeAdapter(Charge),
    "offer": TypeAdapter(Offer),
    "subscription_table": TypeAdapter(SubscriptionTable),
    **{f"source/{name}": TypeAdapter(model) for name, model in SOURCE_MODELS.items()},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    directory = tmp_path / "catalog"
    write_telephony_catalog(directory, subscribers=200)
    write_electricity_catalog(directory, meters=20)
    write_cloud_catalog(directory, devices=15, projects=5)
    write_roaming_catalog(directory, subscribers=5)
    return directory


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_document_fits_its_model(catalog: Path) -> None:
    seen: set[tuple[str, str]] = set()
    for path in sorted(catalog.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            kind = f"source/{document['format']}" if document["kind"] == "source" else document["kind"]
            MODELS[kind].validate_python(document)
            name = (document["kind"], document.get("code", document.get("file")))
            assert name not in seen, "one directory can hold all industries"
            seen.add(name)
    assert len(seen) > 50


def test_tables_name_the_telephone_numbers_in_use(catalog: Path, tmp_path: Path) -> None:
    numbers = {row["access_point"] for row in _rows(catalog / "telephony-subscriptions.csv")}
    assert len(numbers) == 200
    used = set()
    for path in write_telephony(tmp_path / "usage", records=5000, subscribers=200, seed=1):
        used |= {row["msisdn"] for row in _rows(path)}
    assert used <= numbers


def test_tables_name_the_meters_and_subjects_in_use(catalog: Path, tmp_path: Path) -> None:
    meters = {row["access_point"] for row in _rows(catalog / "electricity-subscriptions.csv")}
    assert len(meters) == 20
    assert {len(meter) for meter in meters} == {14}
    text = write_meters(tmp_path / "usage", meters=20, seed=1, days=1)[0].read_text("utf-8")
    assert all(f"<Id_PRM>{meter}</Id_PRM>" in text for meter in meters)
    subjects = {row["access_point"] for row in _rows(catalog / "cloud-subscriptions.csv")}
    events = write_cloud(tmp_path / "usage", records=500, devices=15, projects=5, seed=1)[0].read_text("utf-8")
    assert {line.split('"subject":"')[1].split('"')[0] for line in events.splitlines()} <= subjects


def test_one_subscriber_in_a_hundred_can_spend_a_prepaid_balance_only(catalog: Path) -> None:
    rows = _rows(catalog / "telephony-subscriptions.csv")
    limited = [row for row in rows if row["postpaid"] == "false"]
    assert len(limited) == 2
    assert all(Decimal(row["prepaid_balance"]) == Decimal("4.50") for row in limited)
    assert sum(bool(row["prepaid_balance"]) for row in rows) == 30


def test_meter_identifiers_are_all_different() -> None:
    import numpy as np

    numbers = prm_numbers(np.arange(200_000, dtype=np.int64))
    assert len(np.unique(numbers)) == 200_000
    assert {len(f"{number:014d}") for number in numbers[:100].tolist()} == {14}


def test_no_output_names_a_place_of_this_machine(catalog: Path, tmp_path: Path) -> None:
    outputs = [*catalog.iterdir(), *write_telephony(tmp_path / "usage", records=200, subscribers=9, seed=1)]
    for path in outputs:
        assert str(tmp_path).encode() not in path.read_bytes()
