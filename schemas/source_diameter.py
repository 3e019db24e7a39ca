"""Sources of Diameter messages: accounting (Rf) and credit control (Gy, Ro) as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.source_base import EventMapping, FieldName, SourceBase

DiameterMessage = Literal["ACR", "CCR"]


class DiameterSource(SourceBase):
    """Requests of Diameter, back to back: those in `messages` are read, all others are filtered.

    Fields are AVPs by name; those in groups are paths: `Service-Information.PS-Information.Called-Station-Id`. Others are
    `AVP-N` and `Vendor-V-N`, with `:text`, `:integer`, `:ipv4`, `:ipv6` or `:time` when they are not to be read as octets.
    `Subscription-Id.E164` is the data of the one of that type (`IMSI`, `SIP-URI`, `NAI`, `PRIVATE`); `message` is what a
    message is. `each` is the path of a group that gives a record each time it comes, with the fields around it.
    """

    format: Literal["diameter"]
    messages: Annotated[tuple[DiameterMessage, ...], Field(min_length=1)]
    each: FieldName | None = None
    mapping: EventMapping
