"""Measuring latency and throughput on this machine."""
