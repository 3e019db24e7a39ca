"""Seeded usage generators: the same seed gives the same bytes on any machine."""
