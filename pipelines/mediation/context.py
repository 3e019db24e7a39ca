"""What a decoder needs to know of the installation and of the active tariff image."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.price_plan import EventType
from schemas.quantity import Unit
from schemas.source import SourceBase

SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class DecodeContext:
    """One source and the names it refers to.

    Attributes:
        tenant: the tenant's code.
        source: the source definition.
        event_types: event types of the catalog by code.
        event_type_codes: id of each event type in the vocabulary.
        units: built-in and declared units by code.
        attribute_codes: id of each attribute value that charges filter on; "" is 0.
        secret: 16 bytes of the installation; with the tenant and the source code they seed identity keys.
    """

    tenant: str
    source: SourceBase
    event_types: dict[str, EventType]
    event_type_codes: dict[str, int]
    units: dict[str, Unit]
    attribute_codes: dict[str, int]
    secret: bytes

    def __post_init__(self) -> None:
        """Refuse a secret of another length.

        Raises:
            ValueError: when `secret` is not 16 bytes.
        """
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"the installation's secret must be {SECRET_BYTES} bytes, not {len(self.secret)}")
