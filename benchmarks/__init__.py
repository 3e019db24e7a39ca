"""Seeded generators, catalogs and an independent recount: what octroi is measured and checked with."""
