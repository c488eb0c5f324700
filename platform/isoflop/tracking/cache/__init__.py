"""The cache that reads are served from: columns on disk, synced with what is new in the journal or in MLflow.

It decides nothing and holds nothing of its own: who deletes it waits once for a whole sync.
"""
