"""A good catalog: frames, dictionaries, hash, copies, and that it compiles."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from catalog_texts import CATALOG, write_catalog
from polars.testing import assert_frame_equal

from billing.catalog import store
from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import UnableToCopyCatalog, copy_catalog, is_copy, load_catalog
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import (
    ACCESS_POINT_FRAME,
    ACCOUNT_FRAME,
    OPENING_READING_FRAME,
    SUBSCRIPTION_FRAME,
    TIME_MAX,
    TIME_MIN,
    WALLET_FRAME,
)
from schemas.price_plan import utc_microseconds
from schemas.quantity import BUILT_IN_UNITS, Unit
from schemas.source import CloudEventsSource, DelimitedSource, R151Source


def us(year: int, month: int, day: int, hour: int = 0) -> int:
    return utc_microseconds(datetime(year, month, day, hour, tzinfo=UTC))


def test_documents(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path, CATALOG))
    assert catalog.units == {**BUILT_IN_UNITS, "passage": Unit("passage", "unit/passage", 100)}
    assert list(catalog.event_types) == ["call", "data", "energy", "toll"]
    assert list(catalog.calendars) == ["peak"]
    assert list(catalog.counters) == ["month-data"]
    assert list(catalog.price_plans) == ["call-plan", "data-plan", "night", "toll-plan"]
    assert list(catalog.charges) == ["call", "data-home", "night", "toll"]
    assert list(catalog.offers) == ["blue", "mobile", "road"]
    kinds = {code: type(source) for code, source in catalog.sources.items()}
    assert kinds == {
        "cdr": DelimitedSource, "events": CloudEventsSource, "r151": R151Source, "usage": DelimitedSource,
    }  # fmt: skip
    first, second = catalog.price_plans["call-plan"].versions
    assert first.price == {"off": Decimal("0.05"), "noon": Decimal("0.07"), "full": Decimal("0.1")}
    assert second.price == 0
    bands = catalog.calendars["peak"].bands
    assert (bands[0].start, bands[0].end) == ("22:00", "06:00"), "clock times without quotes are text"
    source = catalog.sources["cdr"]
    assert isinstance(source, DelimitedSource)
    assert source.mapping.event_type.values == {"V": "call", "1": "call", "no": "call"}, "keys are text as written"


def test_frames(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path, CATALOG))
    accounts = [(code, "EUR") for code in ("ada", "bob", "house", "t1", "t2", "t3")]
    assert_frame_equal(catalog.accounts, pl.DataFrame(accounts, ACCOUNT_FRAME, orient="row"))
    wallets = [
        ("ada", "bill", False, 0, 0),
        ("ada", "bonus", True, 1, 10_500_000_000),
        ("ada", "main", True, 2, 0),
        ("bob", "principal", False, 0, 0),
        ("house", "principal", False, 0, 0),
        ("t1", "principal", False, 0, 0),
        ("t2", "prepaid", True, 0, 12_500_000_000),
        ("t3", "prepaid", True, 0, 0),
        ("t3", "principal", False, 0, 0),
    ]
    limited = [(*wallet, 0 if wallet[2] else None) for wallet in wallets]  # postpaid ones have no limit unless told
    assert_frame_equal(catalog.wallets, pl.DataFrame(limited, WALLET_FRAME, orient="row"))
    subscriptions = [
        ("ada-mobile", "ada", "mobile"), ("bob-mobile", "bob", "mobile"), ("house", "house", "blue"),
        ("t1-mobile", "t1", "mobile"), ("t2-mobile", "t2", "mobile"), ("t3-road", "t3", "road"),
    ]  # fmt: skip
    assert_frame_equal(catalog.subscriptions, pl.DataFrame(subscriptions, SUBSCRIPTION_FRAME, orient="row"))
    points = [
        ("12345678901234", "house", TIME_MIN, TIME_MAX),
        ("33600000001", "ada-mobile", us(2026, 1, 1), us(2026, 7, 1)),
        ("33600000001", "bob-mobile", us(2026, 7, 1), TIME_MAX),
        ("33600000002", "bob-mobile", TIME_MIN, TIME_MAX),
        ("33700000001", "t1-mobile", us(2026, 1, 1), TIME_MAX),
        ("33700000002", "t2-mobile", TIME_MIN, us(2026, 12, 31, 23)),
        ("plate-3", "t3-road", TIME_MIN, TIME_MAX),
    ]
    assert_frame_equal(catalog.access_points, pl.DataFrame(points, ACCESS_POINT_FRAME, orient="row"))
    readings = [
        ("12345678901234", "supplier/HC", us(2026, 1, 1), 0),
        ("12345678901234", "supplier/HP", us(2026, 1, 1), 100_500_000),
    ]
    assert_frame_equal(catalog.opening_readings, pl.DataFrame(readings, OPENING_READING_FRAME, orient="row"))


def test_what_loads_compiles(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path, CATALOG))
    vocabulary = Vocabulary()
    compile_image(catalog, vocabulary)
    assert len(vocabulary.charge_versions) == 5
    assert vocabulary.accounts.names.to_list() == catalog.accounts["account"].to_list()


def test_catalog_without_parties_has_empty_frames(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path, {"plans.yaml": CATALOG["plans.yaml"]}))
    assert dict(catalog.accounts.schema) == dict(ACCOUNT_FRAME)
    assert dict(catalog.wallets.schema) == dict(WALLET_FRAME)
    assert dict(catalog.subscriptions.schema) == dict(SUBSCRIPTION_FRAME)
    assert dict(catalog.access_points.schema) == dict(ACCESS_POINT_FRAME)
    assert dict(catalog.opening_readings.schema) == dict(OPENING_READING_FRAME)
    assert sum(map(len, (catalog.accounts, catalog.wallets, catalog.subscriptions, catalog.access_points))) == 0
    compile_image(catalog, Vocabulary())


def hash_of(directory: Path, files: dict[str, str]) -> str:
    return load_catalog(write_catalog(directory, files)).content_hash


def test_hash_is_a_function_of_names_and_bytes(tmp_path: Path) -> None:
    first = hash_of(tmp_path / "a", CATALOG)
    assert first == hash_of(tmp_path / "b", dict(reversed(CATALOG.items())))
    unread = {**CATALOG, "notes.txt": "x", ".hidden.yaml": "x: [", ".git/x.yaml": "x: [", "tables/other.csv": "x"}
    assert first == hash_of(tmp_path / "c", unread)
    assert first != hash_of(tmp_path / "d", {**CATALOG, "plans.yaml": CATALOG["plans.yaml"] + "\n"})
    row = CATALOG["tables/subscribers.csv"].replace("plate-3", "plate-4")
    assert first != hash_of(tmp_path / "e", {**CATALOG, "tables/subscribers.csv": row})
    renamed = {("energy/energy.yaml" if name == "energy/energy.yml" else name): text for name, text in CATALOG.items()}
    assert first != hash_of(tmp_path / "f", renamed)


def test_hash_is_pinned(tmp_path: Path) -> None:
    """The hash names images in every log: another way of hashing would orphan them all."""
    files = {"a.yaml": CATALOG["plans.yaml"]}
    digest = sha256()
    for part in (b"a.yaml", CATALOG["plans.yaml"].encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    assert hash_of(tmp_path, files) == digest.hexdigest()


def test_copy_is_exactly_what_was_read(tmp_path: Path) -> None:
    source = write_catalog(tmp_path / "catalog", {**CATALOG, "notes.txt": "x", "tables/other.csv": "x"})
    catalog = load_catalog(source)
    target = tmp_path / "images" / catalog.content_hash
    copy_catalog(source, catalog, target)
    copied = {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert copied == CATALOG
    again = load_catalog(target)
    assert again.content_hash == catalog.content_hash
    assert_frame_equal(again.access_points, catalog.access_points)
    assert again.price_plans == catalog.price_plans
    assert [path.name for path in target.parent.iterdir()] == [target.name], "nothing partial is left"


@pytest.mark.parametrize(
    ("files", "same"),
    [
        ({}, True),
        ({"notes.txt": "y", ".hidden.yaml": "x"}, True),
        ({"plans.yaml": CATALOG["plans.yaml"].replace("0.15", "0.16")}, False),
        ({"plans.yaml": CATALOG["plans.yaml"] + " "}, False),
        ({"plans.yaml": CATALOG["plans.yaml"][:-1]}, False),
        ({"more/empty.yml": ""}, False),
    ],
)
def test_a_directory_is_known_to_be_a_copy_by_its_bytes(tmp_path: Path, files: dict[str, str], same: bool) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    copy_catalog(source, load_catalog(source), tmp_path / "copy")
    write_catalog(source, files)
    assert is_copy(source, tmp_path / "copy") is same


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_directory_that_lacks_a_file_is_no_copy(tmp_path: Path, name: str) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    copy_catalog(source, load_catalog(source), tmp_path / "copy")
    (source / name).unlink()
    assert not is_copy(source, tmp_path / "copy")
    assert not is_copy(source, tmp_path / "nowhere")
    assert not is_copy(tmp_path / "nowhere", tmp_path / "copy")


def test_copy_twice_changes_nothing(tmp_path: Path) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    copy_catalog(source, load_catalog(source), tmp_path / "copy")
    inode = (tmp_path / "copy" / "plans.yaml").stat().st_ino
    copy_catalog(source, load_catalog(source), tmp_path / "copy")
    assert (tmp_path / "copy" / "plans.yaml").stat().st_ino == inode


def test_copy_refuses_another_catalog_at_the_target(tmp_path: Path) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    write_catalog(tmp_path / "other", {"plans.yaml": CATALOG["plans.yaml"]})
    (tmp_path / "empty").mkdir()
    for target in ("other", "empty"):
        with pytest.raises(UnableToCopyCatalog, match="does not hold this catalog"):
            copy_catalog(source, load_catalog(source), tmp_path / target)


def test_copy_refuses_a_catalog_that_changed(tmp_path: Path) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    loaded = load_catalog(source)
    write_catalog(source, {"plans.yaml": CATALOG["plans.yaml"].replace("0.15", "0.16")})
    with pytest.raises(UnableToCopyCatalog, match="has changed"):
        copy_catalog(source, loaded, tmp_path / "copy")
    (source / "plans.yaml").unlink()
    with pytest.raises(UnableToCopyCatalog, match="has changed"):
        copy_catalog(source, loaded, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_full_disk_leaves_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    loaded, real, synced = load_catalog(source), os.fsync, []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) == 3:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(UnableToCopyCatalog, match="No space left on device"):
        copy_catalog(source, loaded, tmp_path / "images" / "copy")
    assert list((tmp_path / "images").iterdir()) == []
    monkeypatch.setattr(store.os, "fsync", real)
    copy_catalog(source, loaded, tmp_path / "images" / "copy")
    assert load_catalog(tmp_path / "images" / "copy").content_hash == loaded.content_hash


def test_a_copy_is_made_of_what_was_loaded_without_reading_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_catalog(tmp_path / "catalog", CATALOG)
    loaded = load_catalog(source)
    write_catalog(source, {"late.yaml": "a: ["})
    monkeypatch.setattr(store, "read_files", None)
    copy_catalog(source, loaded, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()) == sorted(
        name.rpartition("/")[2] for name in loaded.files
    )


def test_how_a_problem_is_told() -> None:
    problem = Problem(
        "catalog/plans.yaml", 12, "versions.0.tiers.1.up_to", 'the unit "Gb" is unknown', 'did you mean "GB"?'
    )
    told = 'catalog/plans.yaml:12: versions.0.tiers.1.up_to: the unit "Gb" is unknown. Fix: did you mean "GB"?'
    assert str(problem) == told
    assert str(Problem("catalog", 0, "", "it is empty", "fill it")) == "catalog: it is empty. Fix: fill it"
    assert str(UnableToLoadCatalog([problem, problem])) == f"{told}\n{told}"
