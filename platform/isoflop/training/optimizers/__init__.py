"""Optimizers, what of a net they move and how far, and how their steps are limited."""

from isoflop.training.optimizers.build import build_optimizer, release, set_rate

__all__ = ["build_optimizer", "release", "set_rate"]
