"""The peer layer of Diameter: connections of network elements."""
