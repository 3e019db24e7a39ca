"""Settings of the streaming mode: those of the installation, and where Kafka, the object store and ClickHouse are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from apps.settings import Settings
from schemas.topics import PARTITIONS_MAX

Count = Annotated[int, Field(ge=1, le=PARTITIONS_MAX)]


class StreamSettings(Settings):
    """How workers run: environment variables `OCTROI_…`, as all settings; they have no place in `octroi.toml`."""

    kafka: str = Field("127.0.0.1:9092", description="addresses of Kafka brokers, separated by commas")
    objects: str = Field(
        "", description="object store of catalogs and snapshots: address or directory; in the data directory"
    )
    clickhouse: str = Field("", description="address of a ClickHouse server, http://user:password@host:8123; embedded")
    stream_partitions: Count = Field(4, description="partitions of each log")
    stream_raw_partitions: Count = Field(4, description="partitions of each topic of single records")
    stream_replicas: Annotated[int, Field(ge=1, le=7)] = Field(1, description="copies of each partition")
    stream_snapshot_s: Annotated[float, Field(gt=0)] = Field(
        60.0, description="seconds between snapshots of a partition"
    )
    stream_session_ms: Annotated[int, Field(ge=1000)] = Field(
        45_000, description="silence after which a worker loses its partitions, milliseconds"
    )
    stream_gather_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(
        200, description="longest wait of the collector for a fuller block, milliseconds"
    )
    stream_store_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(
        500, description="longest wait of the sink for more blocks, milliseconds"
    )
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="port of /metrics, /livez and /readyz of a worker; 0: none"
    )

    @property
    def objects_address(self) -> str:
        """Where objects are."""
        return self.objects or str(self.data_dir / "objects")

    @property
    def scratch(self) -> Path:
        """Where a worker keeps copies that it can make again."""
        return self.data_dir / "scratch"
