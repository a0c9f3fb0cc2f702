"""Benchmarks: `python -m bench` measures uvnet beside its peers, one table for each workload."""
