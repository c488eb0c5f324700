"""Bringing a run back: what its record names is trained again and held against the record.

`comparison` is pure; `recorded` reads what the record says, `circumstances` what is other here, `sources` and `dataset`
find code and data, `remake` trains in a process of its own, `run` binds them, and `stage` writes it down for DVC.
"""
