"""ClickHouse, embedded (chdb) or as a server: the same client, the same SQL."""
