"""Catalogs in directories: load one with every check, and keep an exact copy of one."""

from __future__ import annotations

import os
import shutil
import tempfile
import zoneinfo
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.fees import add_fees, by_share, fee_plans, gather_units
from billing.catalog.files import CatalogFiles, content_hash, read_files, yaml_names
from billing.catalog.models import D, Problems
from billing.catalog.origins import Origins
from billing.catalog.parties import check_parties, gather_parties
from billing.catalog.price_tables import read_price_tables
from billing.catalog.products import add_products
from billing.catalog.rows import Check
from billing.catalog.rules import check_documents
from billing.catalog.rules_exchange import check_conversions
from billing.catalog.rules_invoicing import account_invoicing, exemption_categories
from billing.catalog.tables import read_table
from billing.catalog.tax_coverage import check_tax_coverage
from billing.catalog.units import known_units
from billing.catalog.version_states import in_force
from schemas.billing_cycle import BillingCycle
from schemas.catalog import Catalog
from schemas.charging_service import ChargingService
from schemas.contract import Contract
from schemas.discount import DiscountPlan
from schemas.fees import MinimumCharge, OneShotCharge, ProductCharge, Purchase, RecurringCharge
from schemas.invoice_terms import InvoiceWording
from schemas.price_plan import Calendar, Charge, Counter, DateList, EventType, Offer, PricePlan
from schemas.source import SourceBase
from schemas.tax import Seller, Tax, TaxCategory, TaxClass, TaxMapping

READ_BYTES = 1 << 20


class UnableToCopyCatalog(Exception):
    """The copy could not be made, or would not be the catalog that was asked for."""


def load_catalog(directory: Path, *, drafts: bool = False) -> Catalog:
    """Return the catalog in a directory: every `*.yaml` and `*.yml` below it, and the tables that they name.

    With `drafts` it is what it would be if they were published; its content hash is then another one.

    A catalog that loads compiles: no reference in it is unknown, and no number in it is out of bounds.

    Raises:
        UnableToLoadCatalog: with everything that is wrong, each with file, line, field and fix.
    """
    problems = Problems()
    files = read_files(directory, problems)
    if not files.data:
        problems.raise_any()
    hashed, names = content_hash(files.data), tuple(sorted(files.data))
    origins = Origins()
    tables = _read_tables(files, origins, problems)
    add_fees(files.documents, problems)
    add_products(files.documents, problems)
    units = known_units(files.documents, problems)
    price_tables = read_price_tables(files, units, origins, problems)
    ctx = Context(files.documents, units, frozenset(zoneinfo.available_timezones()), problems, price_tables.sound)
    check_documents(ctx, directory.as_posix())
    parties = gather_parties(ctx, tables, origins)
    del tables
    check_parties(ctx, parties, origins)
    check_conversions(Check(ctx, origins), parties, price_tables.sound_rates)
    problems.raise_any()
    plans = _by_code(ctx, PricePlan)
    plans = {code: in_force(plan, drafts=drafts) for code, plan in plans.items()}
    plans |= {code: by_share(plans[code]) for code in fee_plans(ctx.documents)}
    catalog = Catalog(
        content_hash=sha256(f"{hashed} with drafts".encode()).hexdigest() if drafts else hashed,
        files=names,
        units=units,
        event_types=_by_code(ctx, EventType),
        calendars=_by_code(ctx, Calendar),
        counters=_by_code(ctx, Counter),
        price_plans=plans,
        charges=_by_code(ctx, Charge),
        offers=_by_code(ctx, Offer),
        billing_cycles=_by_code(ctx, BillingCycle),
        account_cycles=parties.cycles.drop("origin"),
        account_invoicing=account_invoicing(ctx),
        exemption_categories=exemption_categories(ctx),
        invoice_wordings=_by_code(ctx, InvoiceWording),
        contracts=_by_code(ctx, Contract),
        recurring_charges=_by_code(ctx, RecurringCharge),
        one_shot_charges=_by_code(ctx, OneShotCharge),
        product_charges=_by_code(ctx, ProductCharge),
        minimum_charges=_by_code(ctx, MinimumCharge),
        purchases=_by_code(ctx, Purchase),
        subscription_terms=parties.terms.drop("offer", "origin"),
        subscription_units=gather_units(ctx.documents),
        sources=_by_code(ctx, SourceBase),
        accounts=parties.accounts.drop("origin"),
        wallets=parties.wallets,
        subscriptions=parties.subscriptions.drop("origin"),
        access_points=parties.all_points,
        opening_readings=parties.opening_readings,
        date_lists=_by_code(ctx, DateList),
        price_tables=price_tables.rows,
        lookup_tables=price_tables.lookups,
        exchange_rates=price_tables.rates,
        subscription_zones=parties.zones.drop("origin"),
        account_tree=parties.tree.drop("origin"),
        subscription_groups=parties.groups.drop("origin"),
        wallet_levels=parties.wallet_levels,
        source_places={code: entry.place() for code, entry in ctx.documents.of(SourceBase).items()},
        charging_services=_by_code(ctx, ChargingService),
        sellers=_by_code(ctx, Seller),
        tax_classes=_by_code(ctx, TaxClass),
        tax_categories=_by_code(ctx, TaxCategory),
        taxes=_by_code(ctx, Tax),
        tax_mappings=_by_code(ctx, TaxMapping),
        account_taxes=parties.taxes.drop("origin"),
        discount_plans=_by_code(ctx, DiscountPlan),
        discounts=parties.discounts.drop("origin"),
        wallet_terms=parties.wallet_terms,
    )
    # what has no tax can be told only of a catalog in which everything else is right
    check_tax_coverage(Check(ctx, origins), catalog, parties)
    problems.raise_any()
    return catalog


def _read_tables(files: CatalogFiles, origins: Origins, problems: Problems) -> list[pl.DataFrame]:
    """Return the rows of every table, letting go of its bytes."""
    tables = []
    for shown, name in files.tables:
        table = read_table(files.data.pop(name), shown, origins, problems)
        if table is None:
            files.documents.complete = False
        else:
            tables.append(table)
    return tables


def _by_code(ctx: Context, model: type[D]) -> dict[str, Any]:
    return {code: entry.document for code, entry in sorted(ctx.documents.of(model).items())}


def copy_catalog(directory: Path, catalog: Catalog, target: Path) -> None:
    """Copy exactly the files that a catalog was loaded from to a new directory.

    The copy is complete and on disk, or not there at all. A target that holds the same files already is left alone.

    Args:
        directory: where it was loaded from. target: the directory to make; its parent is made when absent.

    Raises:
        UnableToCopyCatalog: when the files have changed since, the target holds other files, or the disk refuses.
    """
    changed = UnableToCopyCatalog(f"{directory} has changed since it was loaded; load it again")
    try:
        files = {name: (directory / name).read_bytes() for name in catalog.files}
    except OSError as error:
        raise changed from error
    if content_hash(files) != catalog.content_hash:
        raise changed
    if target.exists():
        _expect_copy(target, catalog.content_hash)
        return
    try:
        _write(files, target)
    except OSError as error:
        if not target.exists():
            raise UnableToCopyCatalog(f"cannot copy {directory} to {target}: {error.strerror}") from error
        _expect_copy(target, catalog.content_hash)  # another process was faster


def is_copy(directory: Path, target: Path) -> bool:
    """Return whether a directory holds the catalog that `copy_catalog` has copied to `target`, without loading it.

    The same YAML files name the same tables, so that a catalog with the files of a copy, and no other YAML file, is the same.
    What cannot be read is no copy: loading it says why.
    """
    try:
        kept = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
        found = set(yaml_names(directory, problems := Problems()))
        if problems or not kept or not found <= set(kept):
            return False
        return all(_same_bytes(directory / name, target / name) for name in kept)
    except OSError:
        return False


def _same_bytes(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while part := first.read(READ_BYTES):
            if second.read(READ_BYTES) != part:
                return False
        return not second.read(1)


def _expect_copy(target: Path, wanted: str) -> None:
    held = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    if content_hash(held) != wanted:
        raise UnableToCopyCatalog(f"{target} exists and does not hold this catalog; remove it")


def _write(files: dict[str, bytes], target: Path) -> None:
    """Write all files beside the target, then rename: no crash leaves half a copy under its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, data in sorted(files.items()):
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for folder, _, _ in os.walk(partial, topdown=False):
            _sync(Path(folder))
        partial.rename(target)
        _sync(target.parent)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
