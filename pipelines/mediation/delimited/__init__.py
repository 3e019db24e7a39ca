"""Delimited text (CSV), quoting after RFC 4180."""
