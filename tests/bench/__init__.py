"""Benchmarks of a whole server process, loaded from a separate process."""
