"""Tracking: a writer that copies the journal to where people look at runs, and reads for board and command line."""
