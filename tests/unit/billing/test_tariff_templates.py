"""French tariffs as documents: every figure is that of the published table, in force when the table says."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rating_world import catalog_from

from billing.catalog.templates import UnableToFindTemplate, find_tariff, tariff_templates
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.fees import PRICE
from schemas.price_plan import utc_microseconds

PARIS = ZoneInfo("Europe/Paris")
SELLER = "{kind: seller, code: supplier, country: FR, prices: net, tax_category: consumer}"
NAMES = [template.name for template in tariff_templates()]


@cache
def _sold() -> Catalog:
    """Return all tariffs in one catalog, each charge in an offer that somebody bought."""
    texts = [template.text for template in tariff_templates()]
    codes = [
        line.partition("code: ")[2].partition(",")[0]
        for text in texts
        for line in text.splitlines()
        if line.startswith(("{kind: recurring_charge", "{kind: charge"))
    ]
    units = (
        "kVA: 9, kVA-HPH: 9, kVA-HCH: 9, kVA-HPB: 9, kVA-HCB: 9, kW-P: 9, kW-HCH: 9, kW-HPH: 9, kW-HPB: 9, kW-HCB: 9, "
    )
    parties = (
        f"{{kind: offer, code: all, charges: [{', '.join(codes)}]}}",
        "{kind: account, code: a, currency: EUR}",
        f"{{kind: subscription, code: s, account: a, offer: all, start: 2026-02-01T00:00:00+01:00, units: {{{units}"
        "MWh-per-day: 1, MWh-per-day-above: 1}}",
    )
    return catalog_from(*texts, SELLER, *parties)


def _at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=PARIS)


def _steps(code: str) -> list[tuple[date, date | None, Decimal]]:
    """Return (first day, day after, price) of a plan of fees, or of one price."""
    found = []
    for version in _sold().price_plans[code].versions:
        price = version.price if version.model == "flat" else version.constants[PRICE]  # type: ignore[index]
        assert isinstance(price, Decimal)
        ends = None if version.end is None else version.end.astimezone(PARIS)
        starts = version.start.astimezone(PARIS)
        assert starts.hour == 0
        assert ends is None or ends.hour == 0
        found.append((starts.date(), None if ends is None else ends.date(), price))
    return found


def _price(code: str, day: str) -> Decimal:
    on = date.fromisoformat(day)
    ((price),) = [price for first, after, price in _steps(code) if first <= on and (after is None or on < after)]
    return price


def _cells(code: str) -> dict[tuple[str, ...], Decimal]:
    """Return the prices of a matrix by its columns and the day on which each begins."""
    rows = _sold().price_tables[code].frame
    columns = list(_sold().price_tables[code].columns)
    return {
        (*(row[f"when.{name}"] for name in columns), str(row["start_at"])): Decimal(row["price.0"]).scaleb(-12)
        for row in rows.iter_rows(named=True)
    }


def _table(samples: Path, name: str, delimiter: str = ";") -> Iterator[dict[str, str]]:
    with (samples / "energy/fr_tariffs" / name).open(encoding="utf-8-sig") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


FORMULAS = {"BTINFCU4": "cu4", "BTINFMU4": "mu4", "BTINFCUST": "cust", "BTINFMUDT": "mudt", "BTINFLU": "lu"}


def test_turpe_up_to_36_kva_is_that_of_the_table(samples: Path) -> None:
    seen = 0
    for row in _table(samples, "turpe_rules.csv", ","):
        formula, start = row["Formule_Tarifaire_Acheminement"], row["start"]
        if not formula.startswith("BTINF"):
            continue
        seen += 1
        local = formula.endswith(("AUTO", "ALLO"))
        family = FORMULAS.get(formula.removesuffix("ACCAUTO").removesuffix("ACCALLO"))
        assert family is not None
        assert _price("turpe-cg-acc" if local else "turpe-cg", start) == Decimal(row["cg"])
        assert _price("turpe-cc", start) == Decimal(row["cc"])
        fixed = "turpe-cs-mu4acc" if local and family == "mu4" else f"turpe-cs-{family}"
        assert _price(fixed, start) == Decimal(row["b"])
        cells = _cells(f"turpe-cv-{family}acc" if local else f"turpe-cv-{family}")
        measure = ("auto_produced",) if formula.endswith("AUTO") else ("allo_produced",)
        for name in ("hph", "hch", "hpb", "hcb", "hp", "hc", "base"):
            price = Decimal(row[f"c_{name}"] or 0) / 100
            key = (name.upper(), *(measure if local else ()), str(utc_microseconds(_at(start))))
            assert cells.get(key, Decimal(0)) == price, (formula, start, name)
    assert seen == 36


def test_turpe_above_36_kva_comes_to_the_published_sum(samples: Path) -> None:
    """Sum of b(i) for increasing powers, and the fees of each class, say the same."""
    powers = {"hph": 60, "hch": 72, "hpb": 90, "hcb": 120}
    for row in _table(samples, "turpe_rules.csv", ","):
        formula = row["Formule_Tarifaire_Acheminement"]
        if not formula.startswith("BTSUP"):
            continue
        code, published, before = formula[-2:].lower(), Decimal(0), 0
        for name, power in powers.items():
            published += Decimal(row[f"b_{name}"]) * (power - before)
            before = power
        ours = sum(_price(f"turpe-sup-{code}-cs-{name}", row["start"]) * power for name, power in powers.items())
        assert ours == published
        assert _price("turpe-sup-cg", row["start"]) == Decimal(row["cg"])
        assert _price("turpe-sup-cc", row["start"]) == Decimal(row["cc"])
        assert _price("turpe-sup-cmdps", row["start"]) == Decimal(row["cmdps"])
        cells = _cells(f"turpe-sup-{code}-cv")
        at = str(utc_microseconds(_at(row["start"])))
        assert {key[0]: price for key, price in cells.items()} == {
            name.upper(): Decimal(row[f"c_{name}"]) / 100 for name in powers
        }
        assert {key[1] for key in cells} == {at}


def test_medium_voltage_comes_to_the_sum_of_its_classes() -> None:
    """HTA CU: (14.41, 14.41, 14.41, 12.55, 11.22), so that Pointe and HPH have no fee; LU: all of them."""
    assert [_price(f"turpe-hta-cu-cs-{name}", "2025-08-01") for name in ("hch", "hpb", "hcb")] == [
        Decimal("1.86"), Decimal("1.33"), Decimal("11.22"),
    ]  # fmt: skip
    lu = [_price(f"turpe-hta-lu-cs-{name}", "2025-08-01") for name in ("p", "hph", "hch", "hpb", "hcb")]
    assert sum(lu) == Decimal("35.33")
    assert _cells("turpe-hta-cu-cmdps")["P", str(utc_microseconds(_at("2025-08-01")))] == Decimal("0.5764")


@pytest.mark.parametrize("day", ["2023-08-01", "2024-11-01", "2025-02-01", "2025-08-01", "2026-02-01"])
def test_cta_is_its_rate_of_what_the_network_costs_without_use(samples: Path, day: str) -> None:
    rate = max(
        (row["start"], Decimal(row["taux_cta_pct"]) / 100)
        for row in _table(samples, "cta_rules.csv", ",")
        if row["start"] <= day
    )[1]
    assert _price("cta-c5", day) == rate * (_price("turpe-cg", day) + _price("turpe-cc", day))
    assert _price("cta-c5-acc", day) == rate * (_price("turpe-cg-acc", day) + _price("turpe-cc", day))
    for family in (*FORMULAS.values(), "mu4acc"):
        assert _price(f"cta-cs-{family}", day) == rate * _price(f"turpe-cs-{family}", day)
    if day >= "2025-08-01":
        assert _price("cta-sup", day) == rate * (_price("turpe-sup-cg", day) + _price("turpe-sup-cc", day))
        assert _price("cta-hta", day) == rate * Decimal("812.11")
        for code in ("sup-cu-cs-hph", "sup-lu-cs-hcb", "hta-cu-cs-hch", "hta-lu-cs-p"):
            assert _price(f"cta-{code}", day) == rate * _price(f"turpe-{code}", day)


def test_excise_is_that_of_the_tables(samples: Path) -> None:
    seen = 0
    for row in _table(samples, "accise_electricite.csv"):
        for code, column in (("households", "menages"), ("business", "pme"), ("high-power", "haute_puissance")):
            assert _price(f"excise-electricity-{code}", row["start"]) == Decimal(row[f"{column}_eur_mwh"])
            seen += 1
        if row["end"]:
            assert _price("excise-electricity-households", row["end"]) == Decimal(row["menages_eur_mwh"])
    for row in _table(samples, "accise_gaz.csv"):
        assert _price("excise-gas", row["start"]) == Decimal(row["eur_mwh"])
        seen += 1
    assert seen == 16


def test_the_regulated_tariff_is_that_of_the_table_and_comes_to_its_price_with_tax(samples: Path) -> None:
    rows = list(_table(samples, "TRVE_Option_Base_extract.csv"))
    for row in rows:
        day = "-".join(reversed(row["DATE_DEBUT"].split("/")))
        ours = _price(f"trve-base-{row['P_SOUSCRITE']}", day)
        assert ours == Decimal(row["PART_FIXE_HT"].replace(",", "."))
        net = _price("trve-base-energy", day)
        assert net == Decimal(row["PART_VARIABLE_HT"].replace(",", "."))
        gross = (net + _price("excise-electricity-households", day) / 1000) * Decimal("1.2")
        published = Decimal(row["PART_VARIABLE_TTC"].replace(",", "."))
        assert abs(gross - published) < Decimal("0.00006")
    assert _steps("trve-base-9")[-1][1] == date(2026, 2, 1)  # nothing is billed by a price that nobody read
    assert len(rows) == 16


def test_gas_is_that_of_the_table(samples: Path) -> None:
    for row in _table(samples, "atrd7_grdf.csv"):
        option, start = row["option"].lower(), row["start"]
        assert _price(f"atrd-{option}", start) == Decimal(row["abonnement_eur_an"])
        assert _price(f"atrd-{option}-energy", start) == Decimal(row["prop_eur_mwh"])
        if row["capa_le_500_eur_mwhj"]:
            assert _price("atrd-t4-capacity", start) == Decimal(row["capa_le_500_eur_mwhj"])
            assert _price("atrd-t4-capacity-above", start) == Decimal(row["capa_gt_500_eur_mwhj"])
        if start >= "2024-07-01":
            coefficient = Decimal("0.8357") if start == "2024-07-01" else Decimal("0.8321")
            cta = (Decimal("0.2080") + Decimal("0.0471") * coefficient) * Decimal(row["abonnement_eur_an"])
            assert abs(_price(f"cta-gas-{option}", start) - cta) <= Decimal("0.0000005")


def test_vat_is_that_of_the_table(samples: Path) -> None:
    catalog = _sold()
    reduced = {str(version.rate) for version in catalog.taxes["vat-subscription"].versions or ()}
    assert reduced == {row["rate"] for row in _table(samples, "vat_energy.csv")}
    assert [version.start for version in catalog.taxes["vat-subscription"].versions or ()][1] == _at("2025-08-01")
    below = ("turpe-cg", "turpe-cs-cu4", "cta-c5", "trve-base-6", "atrd-t1", "cta-gas-t1")
    above = ("turpe-sup-cg", "cta-sup", "turpe-cv-cu4", "trve-base-energy", "excise-gas", "atrd-t1-energy")
    assert {catalog.charges[code].tax_class for code in below} == {"subscription"}
    assert {catalog.charges[code].tax_class for code in above} == {"energy"}


@pytest.mark.parametrize("name", NAMES)
def test_a_tariff_says_where_its_figures_come_from_and_what_is_doubtful(name: str) -> None:
    head = find_tariff(name).text.partition("\nkind:")[0].partition("\n{")[0]
    assert all(word in head for word in ("Source", "To adapt:", "Doubts:")), name


def test_a_tariff_that_is_not_there_is_told() -> None:
    with pytest.raises(UnableToFindTemplate, match="there are fr_atrd7"):
        find_tariff("fr_trve_green")


def test_all_of_them_are_one_catalog_that_compiles_and_the_page_has_their_names() -> None:
    assert len(compile_image(_sold(), Vocabulary()).charge_versions) > 100
    page = (Path(__file__).parents[3] / "docs" / "catalog.md").read_text()
    assert [name for name in NAMES if f"| {name} | " not in page] == []


def test_prices_by_the_hour_and_the_colour_come_to_what_is_published_with_taxes() -> None:
    """(price + excise) x 1.20, half up to four decimals, and no other price of four decimals does."""
    published = {
        "trve-hphc-energy": {
            ("HP", "2025-02-01"): "0.2146", ("HC", "2025-02-01"): "0.1696", ("HP", "2025-08-01"): "0.2081", ("HC", "2025-08-01"): "0.1635",
            ("HP", "2026-02-01"): "0.2065", ("HC", "2026-02-01"): "0.1579",
        },
        "trve-tempo-energy": {
            ("HCJB", "2024-02-01"): "0.1296", ("HPJB", "2024-02-01"): "0.1609", ("HCJW", "2024-02-01"): "0.1486", ("HPJW", "2024-02-01"): "0.1894",
            ("HCJR", "2024-02-01"): "0.1568", ("HPJR", "2024-02-01"): "0.7562", ("HCJB", "2025-08-01"): "0.1232", ("HPJB", "2025-08-01"): "0.1494",
            ("HCJW", "2025-08-01"): "0.1391", ("HPJW", "2025-08-01"): "0.1730", ("HCJR", "2025-08-01"): "0.1460", ("HPJR", "2025-08-01"): "0.6468",
        },
    }  # fmt: skip
    for code, rows in published.items():
        cells = _cells(code)
        assert len(cells) == len(rows)
        for (name, day), gross in rows.items():
            price = cells[name, str(utc_microseconds(_at(day)))]
            excise = _price("excise-electricity-households", day) / 1000
            near = [price + step * Decimal("0.0001") for step in (-1, 0, 1)]
            assert [((each + excise) * Decimal("1.2")).quantize(Decimal("0.0001"), ROUND_HALF_UP) == Decimal(gross) for each in near] == [
                False, True, False,
            ]  # fmt: skip
    assert ((_price("trve-tempo-9", "2025-08-01") + Decimal("0.2193") * Decimal("129.79")) * Decimal("1.2")).quantize(
        Decimal("0.01")
    ) == Decimal("238.06")
