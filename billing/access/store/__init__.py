"""The relational store: SQLite beside the data, or PostgreSQL by address. Only rooms' `store` modules speak to it."""
