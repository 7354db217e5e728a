"""Samples: arrays, files, raw PCM, resampling."""
