"""Meter data of other countries: what its flows have in common, and tables that a source describes."""
