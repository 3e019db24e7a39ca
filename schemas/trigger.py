"""What usage makes of other usage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.document import Code, Document

TRIGGERS_MAX = 4
TRIGGER_DEPTH_MAX = 4
TREE_ITEMS_MAX = 64
TRIGGER_SUBSCRIPTIONS_MAX = 1000
"""Triggers of a charge, how many usages in a row may trigger each other, and how many items one usage may come to; and
how many subscriptions one trigger chooses from."""


class Trigger(Document):
    """Other usage that a charge makes of usage that it prices, of `event_type`.

    It is of the one of `subscriptions` that is written beside the text of the usage's attribute `by`; where none is, of
    `subscription`, or else of the same subscription.

    It is rated at once, at the same time, and stands or falls with the usage that triggers it. `when` is a condition over
    that usage, `quantity` a formula over what of it the charge prices, in the unit of `event_type`; without, the same
    quantity. `attributes` says which attribute of the usage each attribute of the triggered usage has the text of.
    """

    event_type: Code
    when: str | None = None
    quantity: str | None = None
    attributes: dict[Code, Code] = {}
    subscription: Code | None = None
    by: Code | None = None
    subscriptions: Annotated[dict[str, Code], Field(max_length=TRIGGER_SUBSCRIPTIONS_MAX)] = {}

    @property
    def named(self) -> tuple[Code, ...]:
        """The subscriptions that it names."""
        alone = () if self.subscription is None else (self.subscription,)
        return (*alone, *self.subscriptions.values())
