"""The benchmark of large catalogs loads what it says, and its check of prices can fail."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from cli_octroi import octroi

from apps import bench_image
from apps.bench_activation import measure_activation
from benchmarks.bench_image import measure_image, sample_agrees
from benchmarks.generate.large_catalog import TABLE_PLANS, write_large_catalog
from billing.catalog.store import load_catalog
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("large")
    write_large_catalog(made, prefixes=500, plans=20, subscriptions=100, seed=3)
    return made


def test_the_catalog_is_as_large_as_it_says(directory: Path, tmp_path: Path) -> None:
    catalog = load_catalog(directory)
    assert len(catalog.price_plans) == 20
    assert catalog.price_tables["world"].frame["prefix"].n_unique() == 500
    assert len(catalog.subscriptions) == 100
    assert {code for offer in catalog.offers.values() for code in offer.charges} == set(catalog.charges)
    assert {plan.versions[0].model for plan in catalog.price_plans.values()} == {
        "flat",
        "graduated",
        "volume",
        "package",
    }
    write_large_catalog(tmp_path, prefixes=500, plans=20, subscriptions=100, seed=3)
    assert load_catalog(tmp_path).content_hash == catalog.content_hash
    assert TABLE_PLANS == 2


def test_loading_and_compiling_are_measured_and_checked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = measure_image(directory, 3)
    assert measured["agrees"] is True
    for step in bench_image.STEPS:
        assert measured[step]["seconds"] > 0
        assert measured[step]["cpu_s"] > 0
    more = measure_activation(directory, bench_image._dearer)
    assert 0 < more["activation_stop"] < more["activation"]
    more["activation_memory_mib"] = 1.0
    monkeypatch.setattr(bench_image, "_run_once", lambda folder, seed: measured | more | {"agrees": False})
    told = octroi("bench", "rating", "--only", "image", "--records", 1000, "--runs", 1)
    assert (told.code, [result["name"] for result in told.json["results"]]) == (
        1,
        [
            "image.load",
            "image.compile",
            "image.load_again",
            "image.compile_again",
            "image.activation",
            "image.activation_stop",
            "image.activation_gap",
        ],
    )
    assert octroi("bench", "rating", "--only", "images").code == 2


@pytest.mark.parametrize(("file", "column"), [("world.csv", "price.offpeak"), ("plans.yaml", "")])
def test_prices_that_are_not_those_of_the_files_are_noticed(
    directory: Path, tmp_path: Path, file: str, column: str
) -> None:
    catalog = load_catalog(directory)
    vocabulary = Vocabulary()
    image = compile_image(catalog, vocabulary)
    assert sample_agrees(directory, catalog, image, vocabulary, 3)
    if column:
        rows = pl.read_csv(directory / file, infer_schema=False)
        rows.with_columns(pl.lit("0.5").alias(column)).write_csv(tmp_path / file)
        assert not sample_agrees(tmp_path, catalog, image, vocabulary, 3)
        return
    for path in directory.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes().replace(b"per: 1 GB", b"per: 2 GB"))
    assert not sample_agrees(directory, load_catalog(tmp_path), image, vocabulary, 3)
