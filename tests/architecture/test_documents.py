"""What our documents say exists, works, and is complete; decisions and rooms are written down in one form."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from document_texts import anchors, blocks, commands, links, make_targets, rows, sections, without_blocks
from pydantic import BaseModel

from apps.cli import failures
from apps.cli.main import app
from apps.settings import Settings
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from rating.tariff_image import compile_image
from rating.vocabulary import Vocabulary
from schemas import (
    account,
    billing_cycle,
    charging_service,
    contract,
    converters,
    discount,
    energy,
    exchange,
    fees,
    invoice_terms,
    price_plan,
    price_table,
    product,
    source,
    source_energy,
    source_files,
    source_flow,
    source_meters,
    source_transform,
    tax,
    trigger,
)
from schemas.rejection import OUTCOMES, Reason
from schemas.unit_counts import UnitCount
from sinks.clickhouse.views import VIEWS

ADR_HEADINGS = ["Context", "Decision", "Consequence", "Enforced by"]
ROOM_WORDS = ["owns", "does not own", "invariants"]
ROOMS = ("apps", "pipelines", "rating", "schemas", "sinks/clickhouse")

CATALOG_SECTIONS: dict[str, type[BaseModel]] = {
    "unit": price_plan.UnitDocument,
    "event_type": price_plan.EventType,
    "date_list": price_plan.DateList,
    "calendar": price_plan.Calendar,
    "calendar: seasons": price_plan.Season,
    "calendar: bands": price_plan.Band,
    "counter": price_plan.Counter,
    "price_plan": price_plan.PricePlan,
    "price_plan: versions": price_plan.PriceVersion,
    "price_plan: tiers": price_plan.Tier,
    "price_plan: increments": price_plan.Increments,
    "price_plan: rounding": price_plan.PriceRounding,
    "price_plan: rounding: unit_price": price_plan.UnitPriceRounding,
    "price_plan: rounding: increment": price_plan.IncrementRounding,
    "price_plan: plugin": price_plan.PricePlugin,
    "destination_table": price_table.DestinationTable,
    "price_matrix": price_table.PriceMatrix,
    "lookup_table": price_table.LookupTable,
    "exchange_rates": exchange.ExchangeRates,
    "charge": price_plan.Charge,
    "charge: triggers": trigger.Trigger,
    "recurring_charge": fees.RecurringCharge,
    "one_shot_charge": fees.OneShotCharge,
    "product_charge": fees.ProductCharge,
    "minimum_charge": fees.MinimumCharge,
    "purchase": fees.Purchase,
    "product": product.Product,
    "offer": price_plan.Offer,
    "account": account.Account,
    "account: wallets": account.Wallet,
    "account: pays_for": account.PaysFor,
    "account: discounts": price_plan.DiscountAssignment,
    "account: tax_exemption": account.TaxExemption,
    "contract": contract.Contract,
    "contract: items": contract.ContractItem,
    "subscription": price_plan.Subscription,
    "subscription: reseller": price_plan.Reseller,
    "subscription: units": UnitCount,
    "subscription: access_points": price_plan.AccessPoint,
    "subscription: opening_readings": price_plan.OpeningReading,
    "subscription_table": price_plan.SubscriptionTable,
    "seller": tax.Seller,
    "seller: rounding": tax.TaxRounding,
    "seller: invoicing": invoice_terms.SellerInvoicing,
    "seller: untaxed": invoice_terms.Untaxed,
    "account: invoicing": invoice_terms.AccountInvoicing,
    "invoice_wording": invoice_terms.InvoiceWording,
    "tax_class": tax.TaxClass,
    "tax_category": tax.TaxCategory,
    "tax": tax.Tax,
    "tax: versions": tax.TaxVersion,
    "tax_mapping": tax.TaxMapping,
    "tax_mapping: rows": tax.TaxRow,
    "discount_plan": discount.DiscountPlan,
    "discount_plan: limits": discount.DiscountLimits,
    "discount_plan: items": discount.DiscountItem,
    "billing_cycle": billing_cycle.BillingCycle,
    "charging_service": charging_service.ChargingService,
    "source": source.SourceBase,
    "source: delimited": source.DelimitedSource,
    "source: fixed_width": source.FixedWidthSource,
    "source: fixed_width: columns": source.FixedColumn,
    "source: fixed_width: header and trailer": source.TrailerRecords,
    "source: json": source.JsonSource,
    "source: cloudevents": source.CloudEventsSource,
    "source: arrow": source.ArrowSource,
    "source: parquet": source.ParquetSource,
    "source: plugin": source.PluginSource,
    "source: transform": source_transform.Transform,
    "source: file_names": source_files.FileNames,
    "source: r151": source.R151Source,
    "source: enedis": source.EnedisSource,
    "source: enedis: bounds": source_energy.Bounds,
    "source: grdf": source.GrdfSource,
    "source: grdf: table": source_energy.GrdfTable,
    "source: meter_data": source.MeterDataSource,
    "source: meter_data: table": source_meters.MeterTable,
    "source: meter_data: table: series": source_meters.TableSeries,
    "source: ts32298": source.Ts32298Source,
    "source: tap": source.TapSource,
    "source: radius": source.RadiusSource,
    "source: diameter": source.DiameterSource,
    "source: mapping": source.EventMapping,
    "source: mapping: time": source.EventTime,
    "source: mapping: quantity": source.Quantity,
    "source: mapping: quantity: cumulative": source_flow.Cumulative,
    "source: mapping: quantity: cumulative: begins": source_flow.SeriesBegin,
    "source: mapping: event_type": source.EventTypeRule,
    "source: mapping: sequence": source_flow.Sequence,
    "source: mapping: assembly": source_flow.Assembly,
    "source: mapping: assembly: part": source_flow.PartRule,
    "source: mapping: filters": source.Filter,
    "source: mapping: converters": converters.Converter,
    "source: mapping: converters: e164": converters.E164,
}
"""Heading of docs/catalog.md -> the model whose fields its table lists."""
SPECIAL_DEFAULTS = {
    "of", "demand_minutes", "demand_to", "point", "step_minutes", "first_step", "qualities", "time_class",
    "pays_for", "table", "natures", "statuses", "published", "priority", "bounds", "points", "cut_minutes",
    "rating_group", "service_identifier", "threshold", "holding_s", "redirect_to", "restrict_to", "subscription_ids",
    "identity_space",
    "bands", "days", "start", "end", "up_to", "price", "tiers", "counter", "increments", "connection_fee", "calendar",
    "day_types", "seasons", "dates", "yearly", "easter", "per", "free", "amount", "increment", "minimum_quantity", "floor", "cap",
    "rounding", "wallets", "products", "charges", "ceiling", "null", "columns", "attributes", "filters", "constant", "field", "unit", "values", "keep", "drop",
    "access_points", "opening_readings", "each", "zone", "fields", "pattern", "between", "thousands", "columns_min", "required",
    "converters", "present", "prefix", "min", "max", "strip_prefix", "add_prefix", "e164", "case", "substring", "split", "pad_left",
    "map", "default", "cumulative", "series", "assembly", "sequence", "time_out", "first", "middle", "last",
    "prices", "file", "rows", "free_value", "value", "constants", "lookups", "plugin", "single", "trunk", "international", "decimal", "version", "options", "writes", "transform",
    "seller", "country", "tax_class", "tax_category", "tax_exemption", "item_rounding", "decimals", "versions", "parts", "seller_country", "buyer_country", "condition", "tax",
    "discounts", "currency", "limits", "applications", "months", "offers", "event_types",
    "billing_cycle", "lines", "cash_rounding", "category", "reason", "payment", "language", "untaxed", "units", "invoicing", "notes", "price_plans", "reason_code",
    "notify", "notify_below", "accumulate", "file_names", "triggers", "when", "quantity", "subscription", "by", "subscriptions", "begins", "rolls_over_at",
}  # fmt: skip
"""Fields whose default is told in words: none, open, always."""


def _adrs(root: Path) -> list[Path]:
    return sorted((root / "docs" / "adr").glob("[0-9]*.md"))


@pytest.fixture(scope="module")
def documents(tracked: list[Path]) -> dict[Path, str]:
    """Every Markdown file that is committed."""
    return {path: path.read_text() for path in tracked if path.suffix == ".md"}


@pytest.fixture(scope="module")
def operations(root: Path) -> dict[str, str]:
    """The sections of docs/operations.md."""
    return sections((root / "docs" / "operations.md").read_text())


@pytest.fixture(scope="module")
def catalog_page(root: Path) -> str:
    """docs/catalog.md."""
    return (root / "docs" / "catalog.md").read_text()


# ---- decisions and rooms


def test_decisions_are_numbered_without_a_gap(root: Path) -> None:
    names = [path.name for path in _adrs(root)]
    assert [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)] == []
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_each_decision_has_the_four_headings(root: Path) -> None:
    for path in [*_adrs(root), root / "docs" / "adr" / "template.md"]:
        assert re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE) == ADR_HEADINGS, path.name


def test_what_enforces_a_decision_exists(root: Path) -> None:
    for path in _adrs(root):
        enforced = path.read_text().partition("## Enforced by")[2]
        assert enforced.strip(), path.name
        for named in re.findall(r"`((?:tests|benchmarks)/[\w./-]+)`", enforced):
            assert (root / named).exists(), f"{path.name} names {named}"


def test_contracts_that_decisions_name_exist(root: Path, project: dict[str, Any]) -> None:
    contracts = {contract["name"] for contract in project["tool"]["importlinter"]["contracts"]}
    for path in _adrs(root):
        enforced = " ".join(path.read_text().partition("## Enforced by")[2].split())
        assert set(re.findall(r'contract "([^"]+)"', enforced)) <= contracts, path.name


def test_each_room_says_what_it_owns(root: Path) -> None:
    rooms = [*(path.parent for path in (root / "billing").glob("*/__init__.py")), *(root / room for room in ROOMS)]
    assert len(rooms) > len(ROOMS)
    for room in rooms:
        readme = room / "README.md"
        assert readme.exists(), room.name
        text = readme.read_text().lower()
        assert [word for word in ROOM_WORDS if word not in text] == [], room.name


# ---- what documents point to


def test_every_link_leads_somewhere(documents: dict[Path, str]) -> None:
    broken = []
    for path, text in documents.items():
        for target in links(text):
            name, _, fragment = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            if not file.exists() or (fragment and fragment not in anchors(file.read_text())):
                broken.append(f"{path.name}: {target}")
    assert broken == []


def test_every_command_and_option_exists(documents: dict[Path, str]) -> None:
    root_command: Any = typer.main.get_command(app)
    checked, wrong = 0, []
    for path, text in documents.items():
        for words in commands(text):
            command, rest = root_command, words[1:]
            while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
                command, rest = command.commands.get(rest[0]), rest[1:]
            known = {"--help", "-h"} | {name for item in getattr(command, "params", []) for name in item.opts}
            options = {word.partition("=")[0] for word in rest if re.match(r"-{1,2}[a-z]", word)}
            checked += 1
            if command is None or not options <= known:
                wrong.append(f"{path.name}: {' '.join(words)}")
    assert wrong == []
    assert checked > 40


def _options(command: Any) -> set[str]:
    own = {name for item in getattr(command, "params", []) for name in item.opts}
    return own.union(*(_options(sub) for sub in getattr(command, "commands", {}).values()))


def test_every_option_that_stands_alone_exists(root: Path) -> None:
    known = _options(typer.main.get_command(app)) | {"--help"}
    for path in (root / "README.md", root / "docs" / "operations.md", root / "docs" / "catalog.md"):
        alone = set(re.findall(r"`(--[a-z][a-z-]*)", without_blocks(path.read_text())))
        assert alone <= known, path.name


def test_every_make_target_exists(documents: dict[Path, str], root: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    for path, text in documents.items():
        assert make_targets(text) <= targets, path.name
    told = make_targets((root / "CONTRIBUTING.md").read_text()) | make_targets((root / "README.md").read_text())
    assert {"setup", "demo", "test", "check", "bench"} <= told


# ---- what documents list


def test_exit_codes_are_those_of_the_command_line(root: Path, operations: dict[str, str]) -> None:
    codes = {value for name, value in vars(failures).items() if name.isupper() and isinstance(value, int)}
    readme = sections((root / "README.md").read_text())
    for table in (readme["Exit codes"], operations["Exit codes"]):
        assert {int(row[0]) for row in rows(table)} == codes


def test_every_reason_code_is_told_with_its_outcome(operations: dict[str, str]) -> None:
    told = {(int(code), name): outcome for code, name, outcome, _ in rows(operations["Refused records"])}
    assert told == {
        (reason.value, reason.name): "unrated" if reason >= Reason.NO_MATCHING_CHARGE else OUTCOMES[reason].name.lower()
        for reason in Reason
        if reason is not Reason.NONE
    }


def test_every_code_of_a_refused_file_is_told(tracked: list[Path], root: Path, operations: dict[str, str]) -> None:
    raisers = {"UnableToReadFile", "UnableToDecodeFile", "QuarantinedFile"}
    codes = set()
    for path in tracked:
        if path.suffix == ".py" and path.relative_to(root).parts[0] in ("apps", "pipelines"):
            for node in ast.walk(ast.parse(path.read_text())):
                called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in raisers
                if called and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]
                    codes.add(node.args[0].value)  # type: ignore[attr-defined]
    assert {row[0] for row in rows(operations["Refused files"])} == codes - {"UNREADABLE"}  # that one is no quarantine


def test_every_setting_is_told_with_its_default(operations: dict[str, str]) -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    told = {name: default for name, default, _ in rows(operations["Settings"])}
    assert told == {name: "unset" if default is None else str(default) for name, default in defaults.items()}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_column_of_a_view_is_told(view: Any, operations: dict[str, str]) -> None:
    assert [tuple(row) for row in rows(operations[view.name])] == [
        (column.name, column.comment.replace("`", "")) for column in view.columns
    ]
    assert f"FROM {view.name} " in operations[view.name]


# ---- the catalog page


@pytest.mark.parametrize(("heading", "model"), CATALOG_SECTIONS.items(), ids=CATALOG_SECTIONS)
def test_every_field_of_a_document_is_told(heading: str, model: type[BaseModel], catalog_page: str) -> None:
    told = {row[0]: row[1] for row in rows(sections(catalog_page)[heading])}
    has_common = issubclass(model, source.SourceBase) and heading != "source"
    common = {*source.SourceBase.model_fields, "format"} if has_common else set()
    expected = {name: field for name, field in model.model_fields.items() if name not in common}
    assert list(told) == list(expected)
    for name, field in expected.items():
        assert ("required" in told[name].split(", ")) is field.is_required(), name
        if not field.is_required() and name not in SPECIAL_DEFAULTS:
            default = getattr(field.default, "value", field.default)
            plain = str(default) if not isinstance(default, bool) and default is not None else str(default).lower()
            assert told[name] == plain, name


def test_every_column_of_records_of_enedis_is_told(catalog_page: str) -> None:
    section = sections(catalog_page)["Records of Enedis"]
    told = {row[0]: row[1] for row in rows(section)}
    assert list(told) == list(energy.RECORDS)
    common = set(energy.EnergyRecord.model_fields)
    assert common <= set(re.findall(r"`(\w+)`", section.partition("|")[0]))
    for kind, columns in told.items():
        assert set(energy.columns_of(kind)) - common <= set(re.findall(r"`?\b(\w+)\b`?", columns)), kind  # type: ignore[arg-type]


def test_the_examples_of_the_catalog_page_are_one_catalog(tmp_path: Path, catalog_page: str) -> None:
    examples = blocks(catalog_page, "yaml")
    (table,) = blocks(catalog_page, "csv")
    (tmp_path / "catalog.yaml").write_text("\n---\n".join(examples))
    (tmp_path / "customers.csv").write_text(table)
    catalog = load_catalog(tmp_path)
    compile_image(catalog, Vocabulary())
    assert set(re.findall(r"kind: (\w+)", "".join(examples))) == {
        heading for heading in CATALOG_SECTIONS if ":" not in heading
    }
    assert {document.format for document in catalog.sources.values()} == {
        "delimited", "fixed_width", "json", "cloudevents", "arrow", "parquet", "plugin", "r151", "enedis", "grdf", "meter_data", "ts32298", "tap",
        "radius", "diameter",
    }  # fmt: skip


def test_a_broken_catalog_is_told_as_the_page_says(
    tmp_path: Path, catalog_page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (broken,), (told,) = blocks(catalog_page, "yaml broken"), blocks(catalog_page, "")
    monkeypatch.chdir(tmp_path)
    Path("catalog").mkdir()
    Path("catalog/mobile.yaml").write_text(broken)
    with pytest.raises(UnableToLoadCatalog) as refused:
        load_catalog(Path("catalog"))
    assert set(told.splitlines()) <= set(str(refused.value).splitlines())
