"""Measured claims: `python -m benchmarks.NAME [--json]` prints a table, side by side in one run."""
