"""Finalists for others: a folder of plain files, and the MLflow model around it."""
