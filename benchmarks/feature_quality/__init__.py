"""The benchmark of the features: see `__main__`."""
