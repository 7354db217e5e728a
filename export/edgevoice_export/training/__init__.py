"""Training: settings, the loop, optimisers, checkpoints, and the history of weights."""
