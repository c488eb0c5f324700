"""Training a body without labels, so that others can begin with it."""

from __future__ import annotations

from isoflop.pretraining.run import PretrainRun as PretrainRun
from isoflop.pretraining.run import pretrain as pretrain
