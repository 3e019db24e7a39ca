"""What the ids of one activation stand for, as the store's dimension tables take it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.spool.journal import ImageClaim
from rating.tariff_image import TariffImage
from rating.vocabulary import Counts, NameTable, Vocabulary
from schemas.account import IN_UNIT
from schemas.catalog import Catalog
from sinks.clickhouse.tables.dimensions import DIMENSIONS


def _fresh(table: NameTable, before: int) -> pl.DataFrame:
    names = table.names.slice(before)
    return pl.DataFrame({"id": pl.Series(range(before, len(table)), dtype=pl.UInt32), "code": names})


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def new_names(catalog: Catalog, image: TariffImage, vocabulary: Vocabulary, before: Counts) -> dict[str, pa.Table]:
    """Return the rows of every dimension but that of images for the ids that an activation adds to the vocabulary."""
    accounts = _fresh(vocabulary.accounts, before["accounts"]).join(
        catalog.accounts, left_on="code", right_on="account", how="left", maintain_order="left"
    )
    subscriptions = _fresh(vocabulary.subscriptions, before["subscriptions"]).join(
        catalog.subscriptions, left_on="code", right_on="subscription", how="left", maintain_order="left"
    )
    owners = pl.Series(vocabulary.accounts.ids(subscriptions["account"])).cast(pl.UInt32)
    frames: dict[str, pl.DataFrame] = {
        "dim_account": accounts,
        "dim_subscription": subscriptions.with_columns(owners.alias("account")),
        "dim_access_point": _fresh(vocabulary.access_points, before["access_points"]),
        "dim_source": _fresh(vocabulary.sources, before["sources"]),
        "dim_currency": _fresh(vocabulary.currencies, before["currencies"]),
        "dim_wallet": _wallets(catalog, vocabulary, before["wallets"]),
    }
    tables = {name: _shaped(name, frame) for name, frame in frames.items() if len(frame)}
    rows = {
        "dim_event_type": [
            {"id": row["id"], "code": row["code"], "unit": unit, "step_count": catalog.units[unit].step_count}
            for row in _fresh(vocabulary.event_types, before["event_types"]).to_dicts()
            for unit in [catalog.event_types[row["code"]].unit]
        ],
        "dim_charge_version": _charge_versions(image, before["charge_versions"]),
    }
    return tables | {name: _listed(name, found) for name, found in rows.items() if found}


def new_image(vocabulary: Vocabulary, before: Counts, entry: ImageClaim) -> dict[str, pa.Table]:
    """Return the row of the dimension of images for an image that `entry` put into force first."""
    fresh = _fresh(vocabulary.images, before["images"]).to_dicts()
    rows = [{**row, "claim": entry.claim, "at": _instant(entry.received_at)} for row in fresh]
    return {"dim_image": _listed("dim_image", rows)} if rows else {}


def _listed(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, DIMENSIONS[name].schema)


def _wallets(catalog: Catalog, vocabulary: Vocabulary, before: int) -> pl.DataFrame:
    split = _fresh(vocabulary.wallets, before).with_columns(
        pl.col("code").str.splitn("/", 2).struct.rename_fields(["account", "named"]).alias("parts")
    )
    parts = split.unnest("parts").with_columns(wallet=pl.col("named").str.splitn(IN_UNIT, 2).struct.field("field_0"))
    named = parts.join(catalog.wallets, on=["account", "wallet"], how="left", maintain_order="left")
    owners = pl.Series(vocabulary.accounts.ids(named["account"])).cast(pl.UInt32)
    return named.select("id", pl.col("named").alias("code"), owners.alias("account"), pl.col("prepaid").cast(pl.UInt8))


def _charge_versions(image: TariffImage, before: int) -> list[dict[str, Any]]:
    return [
        {
            "id": version.id,
            "code": version.name,
            "charge": version.charge,
            "price_plan": version.price_plan,
            "version_start": _instant(version.start_at),
            "model": version.model,
            "event_type": version.event_type,
            "unit": version.unit,
            "step_count": version.unit_steps,
            "currency": version.currency,
        }
        for version in sorted(image.charge_versions, key=lambda version: version.id)
        if version.id >= before
    ]


def _shaped(name: str, frame: pl.DataFrame) -> pa.Table:
    schema = DIMENSIONS[name].schema
    return frame.select(schema.names).to_arrow().cast(schema)
