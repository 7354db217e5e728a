"""Many recordings: what is to be read, and the tables that come of it."""
