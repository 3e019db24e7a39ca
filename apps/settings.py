"""Settings: `OCTROI_…` environment variables, then `.env`, then `octroi.toml`, then defaults.

A setting that holds a secret is a pydantic `SecretStr`: it is shown masked, and never repeated in a message.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIG_FILE = "octroi.toml"


class UnableToReadSettings(Exception):
    """A setting is wrong or unknown, or the file that holds it cannot be read."""


FILE_BYTES_MAX = 1 << 33
"""Records of one file are counted in 32 bits, and a line and its end are two bytes."""


def _sha256(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9a-f]{64}", value.get_secret_value()):
        raise ValueError("it must be a SHA-256 in hexadecimal, 64 digits: `printf %s KEY | sha256sum`")
    return value


class ApiKey(BaseModel):
    """A key with which usage may be sent over HTTP: its hash, and the sources it may send to; all when none is named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[SecretStr, AfterValidator(_sha256)]
    sources: tuple[str, ...] | None = None


def _hexadecimal(*lengths: int) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", value.get_secret_value()) or len(value) // 2 not in lengths:
            raise ValueError(f"it must be {' or '.join(str(2 * length) for length in lengths)} hexadecimal digits")
        return value

    return AfterValidator(check)


class SealKey(BaseModel):
    """A key with which the files of some sources are encrypted (AES-CBC); without `iv`, each file begins with its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[SecretStr, _hexadecimal(16, 24, 32)]
    iv: Annotated[SecretStr, _hexadecimal(16)] | None = None
    sources: tuple[str, ...] | None = None


class DiameterPeer(BaseModel):
    """Who may connect over Diameter: an Origin-Host in which `*` stands for anything, and from which networks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1, max_length=255)]
    networks: tuple[IPvAnyNetwork, ...] = ()


class DiameterSettings(BaseModel):
    """Who we are to peers of Diameter, where we listen, who may connect, and the source of accounting (Rf), if it is served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
    realm: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
    realms: tuple[str, ...] = ()
    listen: Annotated[tuple[str, ...], Field(min_length=1)] = ("127.0.0.1",)
    port: Annotated[int, Field(ge=0, le=65535)] = 3868
    peers: Annotated[tuple[DiameterPeer, ...], Field(min_length=1)]
    accounting: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


KeyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Settings(BaseSettings):
    """How this installation runs. Nothing here changes an amount: what does is in the catalog."""

    model_config = SettingsConfigDict(env_prefix="OCTROI_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(Path("octroi-data"), description="data directory of embedded mode")
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(
        "main", description="tenant whose usage this installation processes"
    )
    database: SecretStr | None = Field(
        None,
        description="address of the PostgreSQL that holds the business of all tenants; unset: a file of SQLite for each",
    )
    product: Path | None = Field(
        None, description="YAML file with what the product configures over the defaults, and tenants over it"
    )
    block_bytes: Annotated[int, Field(ge=4096, le=256 << 20)] = Field(
        4 << 20, description="bytes of a file that are processed as one block"
    )
    dedup_window_days: Annotated[int, Field(ge=1)] | Literal["open_period", "unlimited"] = Field(
        "open_period",
        description="days of event time in which duplicates are recognised; open_period: this month and the 62 days before "
        "it; unlimited: for ever",
    )
    flush_records: Annotated[int, Field(ge=1, le=4_000_000)] = Field(
        500_000, description="records gathered into one insert"
    )
    flush_ms: Annotated[int, Field(ge=1)] = Field(1000, description="longest wait before an insert, milliseconds")
    snapshot_records: Annotated[int, Field(ge=1)] = Field(
        5_000_000, description="records between snapshots: about what a crash makes replay at most"
    )
    file_bytes_max: Annotated[int, Field(ge=1, le=FILE_BYTES_MAX)] = Field(
        FILE_BYTES_MAX, description="largest decoded size of one file, bytes; beyond it the file is quarantined"
    )
    expansion_max: Annotated[int, Field(ge=1)] = Field(
        200, description="largest decoded size of a compressed file, as a multiple of its own size"
    )
    poll_ms: Annotated[int, Field(ge=10)] = Field(250, description="how often `run --follow` looks at the spool")
    heal_on_activation: bool = Field(
        True, description="try refused records of unknown access points again when a catalog says whose they are"
    )
    charging_keep_s: Annotated[int, Field(ge=60, le=86_400)] = Field(
        3600,
        description="how long the answers of online charging are given again, and how long a reservation may be held: seconds",
    )
    charging_kept_max: Annotated[int, Field(ge=1)] = Field(
        10_000_000,
        description="answers of online charging that are kept at once, about 350 bytes each; beyond, nothing new begins",
    )
    api_keys: dict[KeyName, ApiKey] = Field(
        {}, description="keys that may send usage to `octroi serve`: name, SHA-256 of the key, sources it is limited to"
    )
    file_keys: dict[KeyName, SealKey] = Field(
        {},
        description="keys with which files are encrypted: name, key, initialisation vector, sources it is limited to",
    )
    diameter: DiameterSettings | None = Field(
        None, description="who `octroi diameter serve` is to its peers, where it listens, and who may connect"
    )
    http_body_bytes_max: Annotated[int, Field(ge=1, le=1 << 30)] = Field(
        64 << 20, description="largest HTTP body as it is sent, bytes"
    )
    http_expanded_bytes_max: Annotated[int, Field(ge=1, le=1 << 32)] = Field(
        256 << 20, description="largest HTTP body once it is decompressed, bytes"
    )
    http_waiting_bytes_max: Annotated[int, Field(ge=1)] = Field(
        512 << 20, description="bytes of HTTP bodies that may be on their way at once; one body always may"
    )
    http_waiting_requests_max: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1000, description="HTTP requests that may be on their way at once"
    )
    http_idempotency_hours: Annotated[int, Field(ge=1)] = Field(
        24, description="how long the answer to an Idempotency-Key is remembered, hours"
    )
    http_key_rate: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10_000, description="requests of one key a second, over 5 s"
    )
    http_user_rate: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        100, description="requests of one user a second, over 5 s"
    )
    http_address_rate: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        50,
        description="requests a second, over 5 s, from one address from which nobody is recognised, logins among them",
    )
    http_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks of proxies whose header X-Forwarded-For says from where a request came"
    )
    session_idle_minutes: Annotated[int, Field(ge=5, le=1440)] = Field(
        30, description="how long a session of a user may be left alone, minutes"
    )
    session_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        12, description="how long a session of a user lasts at most, hours"
    )
    session_cookie_secure: bool = Field(
        True, description="whether browsers send the cookie of a session over TLS, and to their own machine, alone"
    )
    password_reset_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        24, description="how long a token sets a password, hours"
    )
    password_passes: Annotated[int, Field(ge=1, le=64)] = Field(3, description="Argon2id: passes over the memory")
    password_memory_kib: Annotated[int, Field(ge=8, le=4 << 20)] = Field(
        65_536, description="Argon2id: memory of one comparison, KiB; two are made at once"
    )

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


def load_settings(given: dict[str, Any], kind: type[Settings] = Settings) -> Settings:
    """Return the settings; `given` is what the command line says.

    Raises:
        UnableToReadSettings: when a value is wrong, octroi.toml has an unknown key, or a file cannot be read.
    """
    try:
        written = TomlConfigSettingsSource(kind, Path(CONFIG_FILE))()
        unknown = sorted(set(written) - set(kind.model_fields))
        if unknown:
            known = ", ".join(kind.model_fields)
            raise UnableToReadSettings(f"{CONFIG_FILE}: there is no setting {', '.join(unknown)}; there are {known}")
        return kind(**given)
    except tomllib.TOMLDecodeError as error:
        raise UnableToReadSettings(f"{CONFIG_FILE}: {error}") from error
    except UnicodeDecodeError as error:
        raise UnableToReadSettings(f"{CONFIG_FILE} or .env is not UTF-8: {error}") from error
    except ValidationError as error:
        raise UnableToReadSettings(f"wrong setting: {_describe(error, kind)}") from error


def _describe(error: ValidationError, kind: type[Settings]) -> str:
    told = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        field = kind.model_fields.get(str(item["loc"][0])) if item["loc"] else None
        # what is inside a setting may be a secret, or somebody's attempt to write one
        secret = field is None or len(item["loc"]) > 1 or SecretStr.__name__ in str(field.annotation)
        told.append(f"{name}: {item['msg']}" + ("" if secret else f" (given {item['input']!r})"))
    return "; ".join(told)


def origins(given: dict[str, Any], kind: type[Settings] = Settings) -> dict[str, str]:
    """Return where each setting's value comes from."""
    sources: list[tuple[str, dict[str, Any]]] = [
        ("command line", given),
        ("environment", EnvSettingsSource(kind)()),
        (".env", DotEnvSettingsSource(kind, env_file=".env")()),
        (CONFIG_FILE, TomlConfigSettingsSource(kind, Path(CONFIG_FILE))()),
    ]
    return {
        name: next((origin for origin, values in sources if name in values), "default") for name in kind.model_fields
    }
