"""Who may change what, and how every change is kept: tenants, their databases, clocks, settings and audit logs."""
