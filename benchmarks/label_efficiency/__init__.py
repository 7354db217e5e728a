"""The experiment with few labels: see `__main__`."""
