"""Many recordings: the index of what is read, and the tables that are made."""
