"""Executors: run any plan over any journal, in this process or on Ray Tune."""
