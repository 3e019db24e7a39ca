"""Records of fixed width."""
