"""Measuring latency, throughput and memory on this machine."""
