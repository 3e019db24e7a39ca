"""Sources in binary encodings: which records of which specification, and where their fields are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.source_base import EventMapping, FieldName, SourceBase

Ts32298Record = Literal[
    "sgsnPDPRecord",
    "sgsnSMORecord",
    "sgsnSMTRecord",
    "sGWRecord",
    "pGWRecord",
    "ePDGRecord",
    "tWAGRecord",
    "moCallRecord",
    "mtCallRecord",
    "roamingRecord",
    "incGatewayRecord",
    "outGatewayRecord",
    "transitRecord",
    "moSMSRecord",
    "mtSMSRecord",
    "moSMSIWRecord",
    "mtSMSGWRecord",
    "sCSMORecord",
    "sCSMTRecord",
]
"""Names of the choices GPRSRecord, CSRecord and SMSRecordType of 3GPP TS 32.298 v16 whose fields are read."""


class Ts32298Source(SourceBase):
    """Charging data records of 3GPP TS 32.298 in BER, back to back, or with `file_header` in a file of TS 32.297.

    Fields are the specification's names, joined by dots where they lie within one another: `servedIMSI`,
    `listOfServiceData.ratingGroup`; `recordType` is the name of the record's kind. Kinds of records that are known but not
    in `records` are filtered. `each` are lists whose elements become one record each, with the fields around them; the
    first of them that a kind of record has is the one that counts for it.
    """

    format: Literal["ts32298"]
    records: Annotated[tuple[Ts32298Record, ...], Field(min_length=1)]
    each: Annotated[tuple[FieldName, ...], Field(max_length=8)] = ()
    file_header: bool = False
    mapping: EventMapping
