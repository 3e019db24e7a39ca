"""The control plane: where tenants are, and business operations with the clock, the chance and the author that they want."""
