"""Evaluation: stored predictions (logits) and what follows from them. It loads no torch."""
