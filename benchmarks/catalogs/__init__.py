"""Catalogs for generated usage: what is sold, for how much, and who bought it. All names and prices are invented."""
