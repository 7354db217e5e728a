"""What is done to a trained code: narrowing, straightening, scaling."""
