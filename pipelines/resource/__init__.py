"""The resource stage: attribution, exact deduplication, series of readings."""
