"""Isoflop finds, scales and compares image models at equal compute.

The names below are the public API. They are resolved when first used, so importing the package loads no torch, ray or
mlflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoflop.config import TrialConfig as TrialConfig
    from isoflop.cross_validation import cross_validate as cross_validate
    from isoflop.data import prepare as prepare
    from isoflop.followup import ablate as ablate
    from isoflop.outcome import load_study as load_study
    from isoflop.prediction import load_model as load_model
    from isoflop.pretraining import pretrain as pretrain
    from isoflop.reproduction.run import reproduce as reproduce
    from isoflop.spec import load_spec as load_spec
    from isoflop.study import evaluate as evaluate
    from isoflop.study import finalists as finalists
    from isoflop.study import leaderboard as leaderboard
    from isoflop.study import resume as resume
    from isoflop.study import search as search
    from isoflop.trial import run_trial as run_trial

__all__ = [
    "TrialConfig",
    "ablate",
    "cross_validate",
    "evaluate",
    "finalists",
    "leaderboard",
    "load_model",
    "load_spec",
    "load_study",
    "prepare",
    "pretrain",
    "reproduce",
    "resume",
    "run_trial",
    "search",
]

_HOMES = {
    "TrialConfig": "isoflop.config",
    "ablate": "isoflop.followup",
    "cross_validate": "isoflop.cross_validation",
    "load_model": "isoflop.prediction",
    "load_spec": "isoflop.spec",
    "load_study": "isoflop.outcome",
    "prepare": "isoflop.data",
    "pretrain": "isoflop.pretraining",
    "reproduce": "isoflop.reproduction.run",
    "run_trial": "isoflop.trial",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in __all__:
        raise AttributeError(f"module 'isoflop' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "isoflop.study")), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
