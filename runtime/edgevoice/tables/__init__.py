"""Tables of features: one format a file."""
