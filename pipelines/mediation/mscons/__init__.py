"""MSCONS, meter data in EDIFACT, as Germany, Austria and Switzerland use it."""
