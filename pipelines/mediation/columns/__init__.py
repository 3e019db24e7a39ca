"""Files that are columns: Arrow IPC and Parquet."""
