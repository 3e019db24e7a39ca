"""Tariff images: a whole catalog compiled to frozen tables, named by its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from rating.contracts import with_contracts
from rating.exchange import with_conversions
from rating.image_access import AccessIndex, OpeningReadings, compile_access, compile_opening_readings
from rating.image_accounts import OpeningCredits, compile_accounts
from rating.image_accumulators import compile_accumulators
from rating.image_calendars import compile_calendars, subscription_zones
from rating.image_charges import ChargeVersion, compile_charges
from rating.image_conditions import Asked, asked_of
from rating.image_derived import DerivedColumn, PriceColumn, compile_derived, compile_plugins
from rating.image_holders import join_groups
from rating.image_items import ItemTables
from rating.image_levels import Notices, compile_levels
from rating.image_plain import cell_versions, plain_rows
from rating.image_prices import UnableToCompileImage
from rating.image_triggers import TriggerTables, joined_accounts
from rating.kernels.accumulate import AccumulatorTables
from rating.kernels.layout import MODEL_VALUE, SHAPE, Tariff
from rating.kernels.totals import in_money
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.catalog import Catalog

__all__ = [
    "AccessIndex",
    "ChargeVersion",
    "OpeningCredits",
    "OpeningReadings",
    "TariffImage",
    "UnableToCompileImage",
    "compile_image",
]


_UNIT_OF_VERSION = r"#[0-9a-f]+#(.+)$"
"""What names of charge versions end with, see `Vocabulary.charge_versions`."""


@dataclass(frozen=True, slots=True)
class TariffImage:
    """Everything that rating needs of a catalog, as arrays that nothing writes to.

    Arrays by id cover the vocabulary as it was when the image was compiled; -1 marks what the image does not
    contain.

    Attributes:
        content_hash: `schemas.catalog.Catalog.content_hash`. image_id: its id in `Vocabulary.images`.
        access: access points, for the resource stage.
        tariff: what the kernels read.
        account_currency: (accounts,) currency ids.
        account_wallet_ptr: (accounts + 1,) into account_wallet, wallet ids in drawing order, wallet_prepaid and
            wallet_overdraft (billionths, UNLIMITED for without end), and wallet_currency (ids, of money or a unit).
        version_unit: (charge versions of the vocabulary,) currency id of the unit that each prices in, -1 of money.
        charge_group: (accounts,) the lowest account id among those connected by shared counters and wallets: they need one
            writer. sharing: (accounts,) whether it may draw a wallet that others may draw.
        wallets_max: most wallets of one account, at least 1.
        wallet_count, counter_count: how much state `rating.state.AccountState` must hold.
        charge_versions: what the ids of charge versions mean, in the order of charges and starts.
        derived: what event types look up. plugins: price plug-ins. asked: what event types say and are asked for.
        opening: opening balances. opening_readings: opening indexes. items: which usage may become several items.
        rolls: (counters, ROLL_COLUMNS) what rolls over, None where nothing does.
        accumulators: what grows without pricing anything. accumulator_count: how much state that needs. notices: levels at
            whose crossing somebody is told. Both None where there are none.
    """

    content_hash: str
    image_id: int
    access: AccessIndex
    tariff: Tariff
    account_currency: Int32Array
    account_wallet_ptr: Int32Array
    account_wallet: Int32Array
    wallet_prepaid: BoolArray
    wallet_overdraft: Int64Array
    wallet_currency: Int32Array
    version_unit: Int32Array
    charge_group: Int32Array
    sharing: BoolArray
    wallets_max: int
    wallet_count: int
    counter_count: int
    charge_versions: tuple[ChargeVersion, ...]
    opening: OpeningCredits
    opening_readings: OpeningReadings
    items: ItemTables
    triggers: TriggerTables | None
    derived: tuple[DerivedColumn, ...] = ()
    plugins: tuple[PriceColumn, ...] = ()
    asked: Mapping[int, Asked] = field(default_factory=dict)
    rolls: Int64Array | None = None
    accumulators: AccumulatorTables | None = None
    accumulator_count: int = 0
    notices: Notices | None = None

    @property
    def reads_values(self) -> bool:
        """Whether any version finds its price in a price table, prices a value or computes, or any charge has a condition."""
        shapes = self.tariff.version_row[:, SHAPE]
        tables_or_programs = len(self.tariff.table) or len(self.tariff.program)
        return bool(tables_or_programs or self.derived or (shapes & 7 == MODEL_VALUE).any())

    def opening_credits(self, previous_wallet_count: int) -> OpeningCredits:
        """Return the opening balances of the wallets whose id is not below `previous_wallet_count`."""
        fresh = self.opening.wallet >= previous_wallet_count
        return OpeningCredits(self.opening.account[fresh], self.opening.wallet[fresh], self.opening.amount[fresh])

    def overdrafts(self) -> tuple[Int32Array, Int64Array]:
        """Return the wallets that may go below zero so far and no further, and how far, billionths."""
        some = self.wallet_overdraft > 0
        return self.account_wallet[some], self.wallet_overdraft[some]

    def in_money(self, version: Int32Array) -> BoolArray:
        """Return (n,) whether charge versions (n,) price in money, also those of earlier images; later ones do."""
        found = np.empty(len(version), np.bool_)
        in_money(np.array(version, np.int32), self.version_unit, found)
        return found

    def currencies(self, account: Int32Array, version: Int32Array) -> Int32Array:
        """Return (n,) ids of the currencies, or units, of what accounts (n,) pay for what charge versions (n,) price."""
        found: Int32Array = self.account_currency[account].astype(np.int32)
        money = self.in_money(version)
        if not money.all():
            units = np.flatnonzero(~money)
            found[units] = self.version_unit[version[units]]
        return found

    def describe_charge_version(self, charge_version: int) -> ChargeVersion:
        """Return what a charge version id means.

        Raises:
            KeyError: when the image has no such charge version.
        """
        for version in self.charge_versions:
            if version.id == charge_version:
                return version
        raise KeyError(charge_version)


def compile_image(catalog: Catalog, vocabulary: Vocabulary) -> TariffImage:
    """Compile a checked catalog, giving ids to its names in `vocabulary`; same inputs, same image.

    Raises:
        UnableToCompileImage: when a document asks for what the kernels cannot hold exactly. The vocabulary
        may have
            grown by then; use a copy to try out a catalog.
        rating.zones.UnableToReadZone: when a zone is unknown.
    """
    vocabulary.sources.extend(pl.Series(sorted(catalog.sources), dtype=pl.String))
    written, catalog = catalog, with_conversions(with_contracts(catalog))
    calendars = compile_calendars(catalog)
    charges = compile_charges(catalog, vocabulary, calendars)
    accounts = compile_accounts(catalog, vocabulary, charges)
    accumulators = compile_accumulators(catalog, vocabulary, charges, calendars)
    group = accounts.charge_group
    if accumulators is not None:
        group = join_groups(group, accumulators.account, accumulators.holder)
    if charges.triggers is not None:
        types = len(vocabulary.event_types)
        group = join_groups(group, *joined_accounts(charges.triggers, accounts.subscription_row, types))
    access = compile_access(catalog, vocabulary)
    vocabulary.images.extend(pl.Series([catalog.content_hash], dtype=pl.String))
    return TariffImage(
        content_hash=catalog.content_hash,
        image_id=vocabulary.images.id(catalog.content_hash),
        access=access,
        tariff=Tariff(
            subscription_row=accounts.subscription_row,
            counter_slot=accounts.counter_slot,
            account_wallet=accounts.account_wallet,
            wallet_overdraft=accounts.wallet_overdraft,
            wallet_filter=accounts.wallet_filter,
            wallet_draws=charges.filters.draws,
            cell_ptr=charges.cell_ptr,
            candidate_charge=charges.candidate_charge,
            candidate_attribute=charges.candidate_attribute,
            charge_ptr=charges.charge_ptr,
            version_start=charges.version_start,
            version_end=charges.version_end,
            version_row=charges.version_row,
            conversion=charges.conversion,
            plain_row=plain_rows(
                charges.charge_ptr,
                charges.version_start,
                charges.version_end,
                charges.version_row,
                charges.lookup.table,
                calendars.counter_kind,
                calendars.counter_zone,
                calendars.rolls,
            ),
            cell_version=cell_versions(
                charges.cell_ptr,
                charges.candidate_charge,
                charges.candidate_attribute,
                charges.candidate_condition,
                charges.charge_ptr,
                charges.items.cell_several,
            ),
            tier_upper=charges.tier_upper,
            tier_amount=charges.tier_amount,
            tier_step=charges.tier_step,
            price=charges.price,
            calendar_zone=calendars.calendar_zone,
            subscription_zone=subscription_zones(catalog, vocabulary, calendars.zones),
            calendar_day=calendars.calendar_day,
            day_band=calendars.day_band,
            day_turn=calendars.day_turn,
            calendar_run=calendars.calendar_run,
            run=calendars.run,
            run_before=calendars.run_before,
            counter_kind=calendars.counter_kind,
            counter_zone=calendars.counter_zone,
            offer_counter=charges.offer_counter,
            zone_ptr=calendars.zone_ptr,
            zone_bucket=calendars.zone_bucket,
            zone_instant=calendars.zone_instant,
            zone_offset=calendars.zone_offset,
            event_types=np.array([len(vocabulary.event_types)], np.int64),
            table=charges.lookup.table,
            row_variant=charges.lookup.row_variant,
            row_start=charges.lookup.row_start,
            row_end=charges.lookup.row_end,
            root=charges.lookup.root,
            cut=charges.lookup.cut,
            prefix_parent=charges.lookup.prefix_parent,
            prefix_row=charges.lookup.prefix_row,
            source=charges.lookup.source,
            group=charges.lookup.group,
            slot_row=charges.lookup.slot_row,
            row_key=charges.lookup.row_key,
            row_rank=charges.lookup.row_rank,
            range_low=charges.lookup.range_low,
            range_high=charges.lookup.range_high,
            candidate_condition=charges.candidate_condition,
            program_ptr=charges.programs.program_ptr,
            program=charges.programs.program,
            program_set=charges.programs.program_set,
        ),
        account_currency=accounts.account_currency,
        account_wallet_ptr=accounts.account_wallet_ptr,
        account_wallet=accounts.account_wallet,
        wallet_prepaid=accounts.wallet_prepaid,
        wallet_overdraft=accounts.wallet_overdraft,
        wallet_currency=accounts.wallet_currency,
        version_unit=_version_units(vocabulary),
        charge_group=group,
        sharing=accounts.sharing,
        wallets_max=max(1, int(np.diff(accounts.account_wallet_ptr).max(initial=1))),
        wallet_count=accounts.wallet_count,
        counter_count=accounts.counter_count,
        charge_versions=charges.versions,
        opening=accounts.opening,
        opening_readings=compile_opening_readings(catalog),
        items=charges.items,
        triggers=charges.triggers,
        derived=compile_derived(catalog, vocabulary),
        plugins=compile_plugins(catalog, vocabulary),
        asked=asked_of(written, vocabulary),
        rolls=calendars.rolls,
        accumulators=accumulators.tables if accumulators is not None else None,
        accumulator_count=len(vocabulary.accumulators),
        notices=compile_levels(catalog, vocabulary, charges, calendars, accumulators),
    )


def _version_units(vocabulary: Vocabulary) -> Int32Array:
    units = vocabulary.charge_versions.names.str.extract(_UNIT_OF_VERSION).fill_null("")
    return vocabulary.currencies.ids(units)
