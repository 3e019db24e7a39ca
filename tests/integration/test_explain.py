"""`octroi explain`: every number that made an amount, and the amount computed again from them, here by hand."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, CATALOG, call, write_calls, write_catalog
from cli_octroi import octroi, query

from benchmarks.catalogs.write import write_cloud_catalog
from benchmarks.generate.cloud import write_cloud
from tests.integration.expected_samples import ASTERISK_SAMPLE, FOCUS_SAMPLE, R151_SAMPLE, write_sample_catalog

TIERED = CATALOG.replace(
    """{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}""",
    """{start: "2026-01-01T00:00:00Z", end: "2026-07-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}
  - start: "2026-07-01T00:00:00Z"
    model: graduated
    per: "1 min"
    counter: month
    connection_fee: "0.02"
    increments: {first: "60 s", next: "7 s"}
    rounding: {mode: up, decimals: 4}
    tiers: [{up_to: "2 min", price: "0"}, {up_to: "5 min", price: "0.31"}, {price: "0.17"}]""",
).replace(
    "---\nkind: price_plan",
    "---\n{kind: counter, code: month, unit: min, period: month, zone: Europe/Paris}\n---\nkind: price_plan",
)
TIERED += """---
{kind: seller, code: shop, country: FR, prices: net, tax_category: consumer}
---
{kind: tax_category, code: consumer}
---
{kind: tax, code: vat, versions: [{start: "2014-01-01T00:00:00+01:00", rate: 20}]}
---
{kind: tax_mapping, code: france, rows: [{tax_category: consumer, seller_country: FR, tax: vat}]}
"""


def _explained(data: Path, item: str) -> dict[str, Any]:
    told: dict[str, Any] = octroi("explain", item, "--data", data, "--json").ok().json
    assert told["agrees"] is True
    assert Decimal(told["recomputed"]) == Decimal(told["item"]["amount"])
    (stored,) = query(data, f"SELECT amount, image FROM rated_item WHERE id = '{item}'")
    assert (stored["amount"], stored["image"]) == (told["item"]["amount"], told["item"]["image"])
    return told


def _ingested(directory: Path, source: str, file: Path) -> Path:
    assert octroi("ingest", file, "--source", source, "--data", directory).code in (0, 5)
    return directory


@pytest.fixture(scope="module")
def tiered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls through three tiers of a month, the first of another month, and one under the older version."""
    directory = tmp_path_factory.mktemp("tiered")
    file = write_calls(
        directory / "calls.csv",
        call(0, 100, at="2026-10-31T22:00:00Z"),
        call(1, 250, at="2026-10-31T22:30:00Z"),  # 60 + 28 * 7 = 256 s: 20 s free, 180 s, 56 s
        call(2, 30, at="2026-10-31T23:30:00Z"),  # November in Paris
        call(3, 90, at="2026-06-30T23:59:59Z"),
    )
    return _ingested(write_catalog(directory / "data", TIERED), "calls", file)


def test_a_call_across_three_tiers_is_explained_by_each(tiered: Path) -> None:
    told = _explained(tiered, "ri-2-1")
    why = told["explanation"]
    assert (why["charge"], why["price_plan"], why["model"]) == ("voice", "voice", "graduated")
    assert (why["version_start"], why["version_end"]) == ("2026-07-01T00:00:00Z", None)
    assert (why["quantity"], why["rated_quantity"], why["increments"]) == (250_000, 256_000, "60 s, then 7 s")
    # the first call counts 100 s as 60 + 6 * 7 = 102 s
    assert (why["counter"]["counter"], why["counter"]["before"], why["counter"]["after"]) == ("month", 102_000, 358_000)
    parts = [(part["tier"], part["quantity"], Decimal(part["unit_price"])) for part in why["parts"]]
    assert parts == [(0, 18_000, Decimal(0)), (1, 180_000, Decimal("0.31")), (2, 58_000, Decimal("0.17"))]
    exact = Fraction(180, 60) * Fraction("0.31") + Fraction(58, 60) * Fraction("0.17") + Fraction("0.02")
    assert (why["rounding_mode"], why["rounding_decimals"]) == ("up", 4)
    assert Decimal(told["recomputed"]) == Decimal("1.1144") > exact > Decimal("1.1143")
    assert Decimal(why["connection_fee"]) == Decimal("0.02")
    (operation,) = told["wallet_operations"]
    assert (operation["wallet"], Decimal(operation["amount"])) == ("principal", Decimal("-1.1144"))


def test_the_words_name_every_step(tiered: Path) -> None:
    out = octroi("explain", "ri-2-1", "--data", tiered).ok().out
    for words in (
        f"ri-2-1: account ana, subscription ana, access point {ANA}, source calls",
        "1.1144 EUR for 250 s of voice",
        "charge voice, price plan voice (graduated), version in force since 2026-07-01T00:00:00Z",
        "increments of 60 s, then 7 s: 250 s count as 256 s",
        "counter month",
        "102 s before",
        "0.31 per 1 min",
        "connection fee: 0.02",
        "rounded up to 4 decimals: 1.1144 EUR",
        "tax vat, 20 %: france row 1 says so for tax class (none), tax category consumer, seller in FR, account in (no country)",
        "net prices: net 1.1144, tax 0.22288, gross 1.33728 EUR",
        "computed again in decimals: 1.1144 EUR, as stored",
    ):
        assert words in out


def test_the_tax_is_told_to_programs(tiered: Path) -> None:
    tax = _explained(tiered, "ri-2-1")["tax"]
    assert (tax["status"], tax["tax"], tax["parts"]) == ("taxed", "vat", [{"tax": "vat", "rate": "20"}])
    assert [Decimal(tax[name]) for name in ("net", "tax_amount", "gross")] == [
        Decimal(each) for each in ("1.1144", "0.22288", "1.33728")
    ]


def test_another_month_begins_its_counter_anew(tiered: Path) -> None:
    why = _explained(tiered, "ri-2-2")["explanation"]
    assert (why["counter"]["before"], why["rated_quantity"]) == (0, 60_000)
    assert [(part["tier"], part["quantity"]) for part in why["parts"]] == [(0, 60_000)]
    assert why["amount"] == 20_000_000  # the connection fee


def test_usage_before_a_price_change_is_explained_by_the_older_version(tiered: Path) -> None:
    told = _explained(tiered, "ri-2-3")
    why = told["explanation"]
    assert (why["model"], why["version_end"], why["counter"]) == ("flat", "2026-07-01T00:00:00Z", None)
    assert Decimal(told["recomputed"]) == Decimal("0.9")


def test_an_item_is_explained_by_the_catalog_that_rated_it(tiered: Path, tmp_path: Path) -> None:
    data = shutil.copytree(tiered, tmp_path / "data", symlinks=True)
    write_catalog(data, TIERED.replace('"0.31"', '"0.32"'))
    _ingested(data, "calls", write_calls(tmp_path / "more.csv", call(9, 200, at="2026-10-31T22:50:00Z")))
    assert Decimal(_explained(data, "ri-2-1")["recomputed"]) == Decimal("1.1144")
    images = {row["image"] for row in query(data, "SELECT DISTINCT image FROM rated_item")}
    assert len(images) == 2


def test_an_amount_that_was_tampered_with_ends_with_1(tiered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "apps.embedded.explain.from_scaled", lambda amount, decimals: Decimal(amount + 1).scaleb(-decimals)
    )
    told = octroi("explain", "ri-2-3", "--data", tiered)
    assert told.code == 1
    assert "but 0.9 is stored" in told.out
    assert told.err == "octroi: the stored amount and the recomputed one differ\n"


def test_a_real_call_is_explained_by_its_band(tmp_path: Path) -> None:
    write_sample_catalog("asterisk", tmp_path / "catalog")
    told = _explained(_ingested(tmp_path, "asterisk", ASTERISK_SAMPLE), "ri-2-0")
    why = told["explanation"]
    assert (why["band"]["calendar"], why["band"]["name"], why["band"]["zone"]) == ("evenings", "day", "Europe/Paris")
    assert why["band"]["local_time"].startswith("2026-01-15T19:58:23")
    assert (why["quantity"], why["rated_quantity"]) == (240_000, 242_000)
    exact = Decimal(242) / 60 * Decimal("0.2345") + Decimal("0.05")
    assert Decimal(told["recomputed"]) == exact.quantize(Decimal("0.000001"), ROUND_HALF_UP) == Decimal("0.995817")


def test_a_real_reading_is_explained_by_the_version_of_its_day(tmp_path: Path) -> None:
    write_sample_catalog("r151", tmp_path / "catalog")
    data = _ingested(tmp_path, "r151", R151_SAMPLE)
    (item,) = query(data, "SELECT id FROM rated_item WHERE charge = 'electricity-hpb'")
    why = _explained(data, item["id"])["explanation"]
    assert datetime.fromisoformat(why["version_start"]) == datetime(2024, 4, 3, 22, tzinfo=UTC)
    assert why["unit"] == "kWh"
    assert (why["quantity"], why["amount"]) == (5_000_000, 894_500_000)


def test_real_cloud_usage_is_explained_by_tiers_of_many_decimals(tmp_path: Path) -> None:
    write_sample_catalog("focus", tmp_path / "catalog")
    data = _ingested(tmp_path, "focus", FOCUS_SAMPLE)
    crossing = (
        "SELECT id FROM rated_item WHERE charge = 'transfer' AND tier = 1 AND counter_before < 0.01 ORDER BY id LIMIT 1"
    )
    (item,) = query(data, crossing)
    told = _explained(data, item["id"])
    why = told["explanation"]
    assert [part["tier"] for part in why["parts"]] == [0, 1]
    free, paid = (Fraction(part["quantity"], 10**15) for part in why["parts"])
    assert Fraction(why["counter"]["before"], 10**15) + free == Fraction("0.01")
    exact = paid * Fraction("0.0937") * 10**9
    assert why["amount"] == int(exact + Fraction(1, 2))


def test_generated_events_are_explained(tmp_path: Path) -> None:
    write_cloud_catalog(tmp_path / "catalog", devices=20, projects=4)
    write_cloud(tmp_path / "spool" / "events", records=400, devices=20, projects=4, seed=5, bad=False)
    octroi("run", tmp_path).ok()
    items = query(tmp_path, "SELECT charge, min(id) AS id FROM rated_item GROUP BY charge ORDER BY charge")
    assert {row["charge"] for row in items} >= {"compute-eu", "lpwan-bytes", "lpwan-messages", "storage"}
    for row in items:
        assert _explained(tmp_path, row["id"])["explanation"]["charge"] == row["charge"]
