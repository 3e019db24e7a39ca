"""TAP: usage of roamers, from the network they visited."""
