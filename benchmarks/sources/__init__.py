"""The recordings, and methods to turn them into vectors, that the feature benchmarks share."""
