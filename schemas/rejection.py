"""Why a record did not become a rated item: outcomes and stable reason codes.

Every record that enters ends in exactly one `Outcome`. Reason codes are a contract: never renumbered, never reused. When
several apply, one is reported by rule, so that two implementations agree: what makes the bytes unreadable (1..5) first, then
the source's filters, then the smallest code.
"""

from __future__ import annotations

from enum import IntEnum

import pyarrow as pa
from pydantic import BaseModel, ConfigDict


class Outcome(IntEnum):
    """Where a record ends in the record sheet: in = sum of all of these."""

    ACCEPTED = 0
    ABSORBED = 1
    DUPLICATE = 2
    SUPERSEDED = 3
    FILTERED = 4
    REJECTED = 5
    PARKED = 6


class Reason(IntEnum):
    """Stable reason codes, in order of precedence. 0 means no objection."""

    NONE = 0
    # 1..99 decode: the bytes
    RECORD_TOO_LONG = 1
    NUL_BYTE = 2
    INVALID_ENCODING = 3
    MALFORMED_RECORD = 4
    FIELD_COUNT = 5
    FIELD_MISSING = 6
    REFUSED_BY_PLUGIN = 7
    # 100..199 decode: the fields
    FILTERED_BY_SOURCE = 100
    IDENTITY_MISSING = 101
    UNKNOWN_EVENT_TYPE = 102
    INVALID_TIMESTAMP = 103
    TIMESTAMP_WITHOUT_ZONE = 104
    TIMESTAMP_OUT_OF_RANGE = 105
    INVALID_QUANTITY = 106
    QUANTITY_PRECISION = 107
    QUANTITY_OVERFLOW = 108
    NEGATIVE_QUANTITY = 109
    DOUBTFUL_READING = 110
    INVALID_VERSION = 111
    UNKNOWN_PART = 112
    INVALID_SEQUENCE = 113
    INVALID_VALUE = 114
    BEYOND_BILLABLE = 115
    AWAITS_EXECUTION = 116
    KEPT_READING = 117
    # 200..299 resource stage
    DUPLICATE = 200
    SAME_KEY_OTHER_CONTENT = 201
    UNKNOWN_ACCESS_POINT = 202
    ACCESS_POINT_NOT_VALID_AT = 203
    BEYOND_WINDOW = 204
    READING_OUT_OF_ORDER = 205
    INDEX_DECREASED = 206
    OPENING_READING = 207
    REPEATED_READING = 208
    SUPERSEDES_EARLIER = 209
    NEWER_VERSION_KNOWN = 210
    ABSORBED_PART = 211
    LATE_PART = 212
    PART_CONFLICT = 213
    SESSION_TOO_LARGE = 214
    REOPENS_SESSION = 215
    TOO_MANY_SESSIONS = 216
    TOO_MANY_SERIES = 217
    # 300..399 account stage
    NO_MATCHING_CHARGE = 300
    NO_PRICE_VERSION = 301
    COUNTER_PERIOD_CLOSED = 302
    AMOUNT_OVERFLOW = 303
    COUNTER_OVERFLOW = 304
    INSUFFICIENT_BALANCE = 305
    USAGE_TOO_LONG = 306
    NO_DESTINATION_PRICE = 307
    NO_MATRIX_PRICE = 308
    VALUE_UNUSABLE = 309
    SESSION_INCOMPLETE = 310
    CONDITION_UNDECIDED = 311
    FORMULA_UNUSABLE = 312
    USAGE_UNREAD = 313
    COUNTER_USED_UP = 314
    NEGATIVE_UNPRICED = 315
    NOT_CHARGED_ONLINE = 316
    NO_EXCHANGE_RATE = 317


BEFORE_RATING = (Reason.SESSION_INCOMPLETE, Reason.USAGE_UNREAD)
"""Reasons of the account stage for EDRs that it does not even try to rate."""


class Stage(IntEnum):
    """The stage that refused."""

    DECODE = 0
    RESOURCE = 1
    ACCOUNT = 2


OUTCOMES: dict[Reason, Outcome] = {
    **{reason: Outcome.REJECTED for reason in Reason if reason is not Reason.NONE},
    Reason.NONE: Outcome.ACCEPTED,
    Reason.FILTERED_BY_SOURCE: Outcome.FILTERED,
    Reason.DUPLICATE: Outcome.DUPLICATE,
    Reason.KEPT_READING: Outcome.ABSORBED,
    Reason.OPENING_READING: Outcome.ABSORBED,
    Reason.REPEATED_READING: Outcome.ABSORBED,
    Reason.ABSORBED_PART: Outcome.ABSORBED,
    Reason.LATE_PART: Outcome.PARKED,
    Reason.REOPENS_SESSION: Outcome.PARKED,
    Reason.TOO_MANY_SESSIONS: Outcome.PARKED,
    Reason.TOO_MANY_SERIES: Outcome.PARKED,
    Reason.DOUBTFUL_READING: Outcome.PARKED,
    Reason.BEYOND_BILLABLE: Outcome.PARKED,
    Reason.AWAITS_EXECUTION: Outcome.PARKED,
    Reason.BEYOND_WINDOW: Outcome.PARKED,
    Reason.SUPERSEDES_EARLIER: Outcome.PARKED,
    Reason.NEWER_VERSION_KNOWN: Outcome.SUPERSEDED,
    Reason.READING_OUT_OF_ORDER: Outcome.PARKED,
    Reason.COUNTER_PERIOD_CLOSED: Outcome.PARKED,
}
"""What each reason means for the *record sheet* when the decode or resource stage gives it. Reasons 300 and up are given
to EDRs: their record is ACCEPTED, and the EDR is `unrated` in the EDR sheet."""

EXPLANATIONS: dict[Reason, str] = {
    Reason.NONE: "no objection",
    Reason.RECORD_TOO_LONG: "the record is longer than the source's record_bytes_max",
    Reason.NUL_BYTE: "the record contains a NUL byte",
    Reason.INVALID_ENCODING: "the record is not valid in the source's encoding",
    Reason.MALFORMED_RECORD: "the record cannot be parsed in the source's format",
    Reason.FIELD_COUNT: "the record has another number of fields than the source defines",
    Reason.FIELD_MISSING: "a field that the source needs is absent or empty",
    Reason.REFUSED_BY_PLUGIN: "the source's transform refuses the record",
    Reason.FILTERED_BY_SOURCE: "a filter of the source excludes the record",
    Reason.IDENTITY_MISSING: "all identity fields are empty, so the record cannot be deduplicated",
    Reason.UNKNOWN_EVENT_TYPE: "no event type is defined for this value",
    Reason.INVALID_TIMESTAMP: "the event time cannot be read in the source's format",
    Reason.TIMESTAMP_WITHOUT_ZONE: "the event time has no zone and the source names none",
    Reason.TIMESTAMP_OUT_OF_RANGE: "the event time is outside 2000-01-01 .. 2100-01-01",
    Reason.INVALID_QUANTITY: "the quantity is not a number",
    Reason.QUANTITY_PRECISION: "the quantity has more decimals than its unit can hold",
    Reason.QUANTITY_OVERFLOW: "the quantity is too large",
    Reason.NEGATIVE_QUANTITY: "the quantity is negative",
    Reason.BEYOND_BILLABLE: "the energy lies too long before its reading to be billed",
    Reason.AWAITS_EXECUTION: "its source holds records until they are executed",
    Reason.KEPT_READING: "the index is kept: what indexes differ by is stated once all of them are known",
    Reason.DOUBTFUL_READING: "the distributor marks this reading as doubtful",
    Reason.INVALID_VERSION: "the version is no whole number of at most 18 digits",
    Reason.UNKNOWN_PART: "the record does not say which session it belongs to, or which part of it it is",
    Reason.INVALID_SEQUENCE: "the number of the part in its session is no whole number",
    Reason.INVALID_VALUE: "a value of the event type is no number, instant, date or digits as it should be",
    Reason.DUPLICATE: "a record with the same identity and content was already processed",
    Reason.SAME_KEY_OTHER_CONTENT: "a record with the same identity but another content was already processed",
    Reason.UNKNOWN_ACCESS_POINT: "no access point has this identifier",
    Reason.ACCESS_POINT_NOT_VALID_AT: "the access point exists but belongs to no subscription at the event time",
    Reason.BEYOND_WINDOW: "the event time is older than the deduplication window",
    Reason.READING_OUT_OF_ORDER: "the reading is older than the latest one of its register",
    Reason.INDEX_DECREASED: "the index is lower than the previous one of its register",
    Reason.OPENING_READING: "the first reading of a register opens the series and measures no consumption",
    Reason.REPEATED_READING: "the reading says what the latest one of its register says: nothing was used",
    Reason.SUPERSEDES_EARLIER: "it replaces an earlier record, which is withdrawn first",
    Reason.NEWER_VERSION_KNOWN: "a newer record with the same identity is known",
    Reason.ABSORBED_PART: "a part of a session, merged into one EDR with the others",
    Reason.LATE_PART: "the session has ended without this part",
    Reason.PART_CONFLICT: "the session has this part already, the part does not fit between its first and last, or it would "
    "end before it began",
    Reason.SESSION_TOO_LARGE: "the session has more parts, or more usage, than one EDR can hold",
    Reason.REOPENS_SESSION: "the session has ended without this part; it is opened again first",
    Reason.TOO_MANY_SESSIONS: "as many sessions wait for their parts as may wait",
    Reason.TOO_MANY_SERIES: "as many series of readings are kept as may be kept",
    Reason.NO_MATCHING_CHARGE: "no usage charge of the subscription's offer matches the event",
    Reason.NO_PRICE_VERSION: "the price plan has no version in force at the event time",
    Reason.COUNTER_PERIOD_CLOSED: "the counter period of the event is no longer kept",
    Reason.AMOUNT_OVERFLOW: "the amount exceeds what a rated item can hold",
    Reason.COUNTER_OVERFLOW: "the counter would exceed what it can hold",
    Reason.INSUFFICIENT_BALANCE: "no wallet can pay the amount",
    Reason.VALUE_UNUSABLE: "the number that the price multiplies is absent, or below zero",
    Reason.CONDITION_UNDECIDED: "a charge's condition asks for a value that the usage does not have",
    Reason.FORMULA_UNUSABLE: "the formula gives no amount: a value is absent, it divides by zero, or it falls below zero",
    Reason.NO_MATRIX_PRICE: "no row with a price matches what the usage says",
    Reason.NO_DESTINATION_PRICE: "no prefix of the digits has a price in force at the event time",
    Reason.USAGE_TOO_LONG: "usage that is split over time bands lasts longer than 35 days",
    Reason.SESSION_INCOMPLETE: "the session ended without its first or its last part, or with a part missing between them",
    Reason.COUNTER_USED_UP: "the counter's ceiling leaves less than the usage",
    Reason.NEGATIVE_UNPRICED: "the price has no exact meaning for usage that is taken back: it has increments, a minimum, "
    "a fee or limits, or is neither a price per quantity nor graduated on a counter",
    Reason.USAGE_UNREAD: "a catalog took effect while its session waited, and what its first part says could not be read again",
    Reason.NO_EXCHANGE_RATE: "no exchange rate into the currency of the account counts for the usage",
    Reason.NOT_CHARGED_ONLINE: "usage that may trigger other usage is not charged online, only rated from files",
}


class Rejection(BaseModel):
    """One refused record or EDR, as analysts and operators read it."""

    model_config = ConfigDict(frozen=True)

    claim: int
    record: int
    branch: int
    block: int
    stage: int
    reason: int
    outcome: int
    event_at: int
    access_point: str
    detail: str
    raw: bytes
    raw_truncated: bool
    edr: bytes
    retry_count: int


_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("claim", pa.uint32()),
    ("record", pa.uint32()),
    ("branch", pa.uint8()),
    ("block", pa.uint32()),
    ("stage", pa.uint8()),
    ("reason", pa.uint16()),
    ("outcome", pa.uint8()),
    ("event_at", pa.int64()),
    ("access_point", pa.string()),
    ("detail", pa.string()),
    ("raw", pa.binary()),
    ("raw_truncated", pa.bool_()),
    ("edr", pa.binary()),
    ("retry_count", pa.uint16()),
)
REJECTION_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS])
"""Columns of a rejection; `event_at` is microseconds UTC, 0 when unknown. `raw` is the record's bytes (at most
RAW_BYTES_MAX), `edr` the packed EDR of an unrated one (`schemas.edr.pack`), empty for records. Parity with `Rejection`
is tested."""

RAW_BYTES_MAX = 65_536
"""Most raw bytes kept with a rejection; the archived file has them all."""
