"""Products: what several offers sell alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.document import Code, Document


class Product(Document):
    """A part of offers with a name of its own: the charges and fees that come with it, in whichever offer it is."""

    kind: Literal["product"]
    code: Code
    charges: Annotated[tuple[Code, ...], Field(min_length=1)]
