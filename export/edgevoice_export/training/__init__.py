"""Training runs: settings, the loop, optimisers, checkpoints, and the record of how weights came about."""
