"""Ways to turn a recording into a vector, and the recordings: what the benchmarks of features share."""
