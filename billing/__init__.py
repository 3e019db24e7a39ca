"""The business: what is sold, to whom, and what is owed. One folder per room."""
