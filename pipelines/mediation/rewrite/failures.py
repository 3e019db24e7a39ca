"""Why records cannot be rewritten: all of them, or one."""

from __future__ import annotations


class UnableToRewrite(ValueError):
    """Nothing can be rewritten: the format is not text, there is no such field, or a value fits in no record."""


class UnableToRewriteRecord(ValueError):
    """One record cannot be rewritten: its fields cannot be told apart."""
