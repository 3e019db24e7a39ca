"""Settings: `OCTROI_…` environment variables, then `.env`, then `octroi.toml`, then defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIG_FILE = "octroi.toml"


class Settings(BaseSettings):
    """How this installation runs. Nothing here changes an amount: what does is in the catalog."""

    model_config = SettingsConfigDict(env_prefix="OCTROI_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(Path("octroi-data"), description="data directory of embedded mode")
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(
        "main", description="tenant whose usage this installation processes"
    )
    block_bytes: Annotated[int, Field(ge=4096, le=256 << 20)] = Field(
        8 << 20, description="bytes of a file that are processed as one block"
    )
    dedup_window_days: Annotated[int, Field(ge=1)] | None = Field(
        None, description="days of event time in which duplicates are recognised; unset: for ever"
    )
    flush_records: Annotated[int, Field(ge=1)] = Field(500_000, description="records gathered into one insert")
    flush_ms: Annotated[int, Field(ge=1)] = Field(1000, description="longest wait before an insert, milliseconds")
    snapshot_records: Annotated[int, Field(ge=1)] = Field(
        5_000_000, description="records between snapshots: what a crash makes replay at most"
    )
    file_bytes_max: Annotated[int, Field(ge=1)] = Field(
        1 << 40, description="largest decoded size of one file, bytes; beyond it the file is quarantined"
    )
    expansion_max: Annotated[int, Field(ge=1)] = Field(
        200, description="largest decoded size of a compressed file, as a multiple of its own size"
    )
    poll_ms: Annotated[int, Field(ge=10)] = Field(250, description="how often `run --follow` looks at the spool")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: command line, environment, .env, octroi.toml."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls, Path(CONFIG_FILE))


def origins(given: dict[str, Any]) -> dict[str, str]:
    """Return where each setting's value comes from."""
    sources: list[tuple[str, dict[str, Any]]] = [
        ("command line", given),
        ("environment", EnvSettingsSource(Settings)()),
        (".env", DotEnvSettingsSource(Settings, env_file=".env")()),
        (CONFIG_FILE, TomlConfigSettingsSource(Settings, Path(CONFIG_FILE))()),
    ]
    return {
        name: next((origin for origin, values in sources if name in values), "default")
        for name in Settings.model_fields
    }


def quiet_output() -> bool:
    """Return whether colours are unwanted (NO_COLOR is set)."""
    return bool(os.environ.get("NO_COLOR"))
