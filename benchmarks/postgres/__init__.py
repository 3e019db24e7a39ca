"""A real PostgreSQL for tests and benchmarks: a server of this machine's package, on a socket in a directory of its own."""
