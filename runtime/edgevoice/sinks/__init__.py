"""Where frames go: one format a file."""
