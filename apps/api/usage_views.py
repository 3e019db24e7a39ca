"""What answers about sources, refused records and the catalog hold, for their description."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from apps.api.views import View


def moment(value: datetime | None) -> str | None:
    """Return an instant of the store as RFC 3339 has it."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def texts_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of the store with all texts as text: a column in which one is no UTF-8 comes as bytes."""
    return [
        {name: one.decode("utf-8", "replace") if isinstance(one, bytes) else one for name, one in row.items()}
        for row in rows
    ]


class SourceRow(View):
    """A source of the catalog in force, and how it stands: counts over all files and bodies that came, retries left out."""

    code: str
    format: str
    event_types: list[str]
    identity: list[str] = Field(description="fields by which its records are known again")
    access_point: str = Field(description="the field that names the access point")
    on_same_key: str
    encrypted: bool
    files: int = Field(description="files and bodies that were taken")
    quarantined: int = Field(description="of these, refused whole")
    backed_out: int = Field(description="of these, taken out again")
    received: int = Field(description="records that entered")
    rejected: int = Field(description="records that were refused, and those that are parked")
    open_rejections: int = Field(description="refused records and unrated EDRs about which nothing is decided")
    missing_records: int = Field(description="numbers that no record has, where the source counts them")
    last_claim: int | None = Field(description="entry of the log that brought its latest file or body")
    last_received_at: str | None


class SourceGap(View):
    """Numbers of a stream of records that nobody saw."""

    stream: str
    missing_from: str = Field(description="the first one; a number of up to 20 digits")
    missing_to: str
    seen_before: int = Field(description="entry of the log that brought the number before")
    seen_after: int = Field(description="entry of the log that brought the number after")


class FileGap(View):
    """Files that did not come, or came twice, by what their names count."""

    stream: str
    problem: str
    number_from: int | None
    number_to: int | None
    part_from: int | None
    part_to: int | None
    parts: int | None
    missing: int
    claims: list[int]
    name: str


class SourceView(SourceRow):
    """A source with its definition, what is done with its records in words, and the first gaps."""

    definition: dict[str, Any]
    words: list[dict[str, str]]
    gaps: list[SourceGap]
    file_gaps: list[FileGap]
    more_gaps: bool = Field(description="whether there are more than are shown")


class RejectionRow(View):
    """A refused record or an unrated EDR; `masked`: its access point is shown by the last characters, if at all."""

    id: str
    source: str
    stage: str
    reason: str
    explanation: str
    outcome: str = Field(description="what the record is counted as")
    status: str
    event_at: str | None = Field(description="when the usage was, null when unknown")
    access_point: str | None
    retries: int
    decided_by: int | None = Field(description="entry of the log that decided about it last")
    masked: bool


class RejectionView(RejectionRow):
    """A refusal whole; where it is `masked`, nothing of what the record says is shown."""

    detail: str | None
    record: str | None = Field(description="its text; bytes that are no UTF-8 are replaced")
    record_hex: str | None = Field(description="its bytes, in hexadecimal")
    truncated: bool = Field(description="whether it has more bytes than are kept")
    decision_reason: str
    corrects: str | None = Field(description="the rejection whose corrected record this is")


class Replayed(View):
    """What became of rejections that were tried again; `left`: so many more match, and stayed as they were."""

    replayed: int
    left: int
    claims: list[int] = Field(description="entries of the log that tried them")
    received: int
    accepted: int
    absorbed: int
    duplicate: int
    superseded: int
    filtered: int
    rejected: int
    parked: int
    edrs: int
    rated: int
    unrated: int


class Decided(View):
    """How many rejections were decided about; `left`: so many more match, and stayed as they were."""

    decided: int
    left: int
