"""What all meter data have in common: units, channels, and intervals as arrays."""
