"""The HTTP interface of the owner of a data directory: usage in, receipts out."""
