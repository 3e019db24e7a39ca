"""The store of facts: one writer per table."""
