"""What usage makes of other usage."""

from __future__ import annotations

from schemas.document import Code, Document

TRIGGERS_MAX = 4
TRIGGER_DEPTH_MAX = 4
TREE_ITEMS_MAX = 64
"""Triggers of a charge, how many usages in a row may trigger each other, and how many items one usage may come to."""


class Trigger(Document):
    """Other usage that a charge makes of usage that it prices: of `event_type`, of the same subscription or of `subscription`.

    It is rated at once, at the same time, and stands or falls with the usage that triggers it. `when` is a condition over
    that usage, `quantity` a formula over what of it the charge prices, in the unit of `event_type`; without, the same
    quantity. `attributes` says which attribute of the usage each attribute of the triggered usage has the text of.
    """

    event_type: Code
    when: str | None = None
    quantity: str | None = None
    attributes: dict[Code, Code] = {}
    subscription: Code | None = None
