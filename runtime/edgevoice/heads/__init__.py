"""Heads: decisions from the last frames, fitted on labelled recordings."""
