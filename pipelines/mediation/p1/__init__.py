"""P1 telegrams of smart meters in the Netherlands and Belgium."""
