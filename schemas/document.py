"""What all catalog documents are."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$")]
"""A name that people give: letters, digits and . _ : @ + -"""


class Document(BaseModel):
    """Base of all catalog documents: unknown fields are refused, instances are frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
