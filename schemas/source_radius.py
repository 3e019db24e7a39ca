"""RADIUS accounting sources (RFC 2866, RFC 2869, RFC 3162)."""

from __future__ import annotations

from typing import Literal

from schemas.source_base import EventMapping, SourceBase


class RadiusSource(SourceBase):
    """RADIUS Accounting-Requests, one record each, by how they are written down (`layout`).

    `packets`: as they were on the wire, one after the other. `hex`: one packet a line. `detail`: the text files of
    FreeRADIUS. Fields are attributes by name; others are `Attr-N` and `Vendor-V-T`, with `:text`, `:integer`, `:ipv4`,
    `:ipv6` or `:time` when they are not to be read as octets. `Input-Octets-64`, `Output-Octets-64` and
    `Total-Octets-64`, their sum, have the gigawords in them, `Event-Time` is when it happened.
    """

    format: Literal["radius"]
    layout: Literal["packets", "hex", "detail"] = "packets"
    mapping: EventMapping
