"""What decides a training's numbers: frozen values, checked when made.

`TrialConfig` is one configuration; its settings have one dotted key everywhere (`optim.lr`). Its parts are made from
what people write, so unknown keys are refused.
"""

from isoflop.config.adversary import AdversaryConfig
from isoflop.config.augment import AugmentConfig
from isoflop.config.average import AverageConfig
from isoflop.config.curriculum import GIVEN, CurriculumConfig
from isoflop.config.data import DataConfig
from isoflop.config.distill import TEACHER, DistillConfig
from isoflop.config.fused import FusedConfig, unlike
from isoflop.config.loss import LossConfig
from isoflop.config.model import OWN, RUN, SELF_SUPERVISED, WEIGHTS, ModelConfig
from isoflop.config.optim import OptimConfig
from isoflop.config.part import Count, Name, NotNegative, Part, Positive, Share
from isoflop.config.pretrain import PretrainConfig
from isoflop.config.resize import ResizeConfig
from isoflop.config.schedule import ScheduleConfig
from isoflop.config.train import Axis, TrainConfig
from isoflop.config.trial import (
    FIXED_BY_STUDY,
    SECTIONS,
    STORED,
    TrialConfig,
    default_of,
    flatten,
    known_keys,
    nest,
)
from isoflop.faults import parse

__all__ = [
    "FIXED_BY_STUDY",
    "GIVEN",
    "OWN",
    "RUN",
    "SECTIONS",
    "SELF_SUPERVISED",
    "STORED",
    "TEACHER",
    "WEIGHTS",
    "AdversaryConfig",
    "AugmentConfig",
    "AverageConfig",
    "Axis",
    "Count",
    "CurriculumConfig",
    "DataConfig",
    "DistillConfig",
    "FusedConfig",
    "LossConfig",
    "ModelConfig",
    "Name",
    "NotNegative",
    "OptimConfig",
    "Part",
    "Positive",
    "PretrainConfig",
    "ResizeConfig",
    "ScheduleConfig",
    "Share",
    "TrainConfig",
    "TrialConfig",
    "default_of",
    "flatten",
    "known_keys",
    "nest",
    "parse",
    "unlike",
]
