"""What all catalog documents are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$")]
"""A name that people give: letters, digits and . _ : @ + -"""


class Document(BaseModel):
    """Base of all catalog documents: unknown fields are refused, instances are frozen.

    What checks a document is built when the first of its kind is read: a process meets few of all the kinds there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _instant_text(value: Any) -> Any:
    """Refuse numbers: 20260101 would be read as seconds since 1970, a day of August 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and "-" in value[1:]):
        return value
    raise ValueError('write an instant with its zone, in quotes, such as "2026-01-01T00:00:00Z"')


def _instant_utc(value: datetime) -> datetime:
    """Refuse what lies before year 1 or after year 9999 in UTC: no calendar goes there."""
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError("its year in UTC is none of 1 to 9999") from None
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_instant_text), AfterValidator(_instant_utc)]
"""ISO 8601 with a zone; never a number."""
