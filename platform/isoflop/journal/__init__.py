"""The journal: an append-only table of a study's events, the only truth about it."""
