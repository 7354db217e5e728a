"""Transformations of a trained code: narrowing, straightening, scaling."""
