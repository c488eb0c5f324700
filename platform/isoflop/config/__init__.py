"""What decides a training's numbers: frozen values, checked when made.

`TrialConfig` is one configuration; its settings have one dotted key everywhere (`optim.lr`). Its parts are made from
what people write, so unknown keys are refused.
"""

from isoflop.config.augment import AugmentConfig
from isoflop.config.data import DataConfig
from isoflop.config.loss import LossConfig
from isoflop.config.model import WEIGHTS, ModelConfig
from isoflop.config.optim import OptimConfig
from isoflop.config.part import Count, Name, NotNegative, Part, Positive, Share
from isoflop.config.schedule import ScheduleConfig
from isoflop.config.train import Axis, TrainConfig
from isoflop.config.trial import FIXED_BY_STUDY, SECTIONS, TrialConfig, default_of, flatten, known_keys, nest
from isoflop.faults import parse

__all__ = [
    "FIXED_BY_STUDY",
    "SECTIONS",
    "WEIGHTS",
    "AugmentConfig",
    "Axis",
    "Count",
    "DataConfig",
    "LossConfig",
    "ModelConfig",
    "Name",
    "NotNegative",
    "OptimConfig",
    "Part",
    "Positive",
    "ScheduleConfig",
    "Share",
    "TrainConfig",
    "TrialConfig",
    "default_of",
    "flatten",
    "known_keys",
    "nest",
    "parse",
]
