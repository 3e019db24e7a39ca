"""The vocabulary: typed records, units, scales and codes that every other room shares."""
