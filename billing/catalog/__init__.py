"""The catalog: what is sold and to whom, read from files and checked before anything is priced."""
