"""Knowledge distillation."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from isoflop.config.model import named
from isoflop.config.part import Part, Positive, Share

TEACHER = "distill.teacher"
"""The key under which a teacher is named."""


class DistillConfig(Part):
    """Learning from what another net answers (Hinton et al. 2015, arXiv 1503.02531)."""

    teacher: Annotated[str, AfterValidator(named)] = ""
    """A finished training's weights, by the name under which `isoflop weights add STUDY/NUMBER` stored them; none means
    no teacher. It must tell the same classes apart."""
    weight: Share = 0.5
    """Of the teacher's answers in the loss; the labels have the rest."""
    temperature: Positive = 4.0
    """Logits are divided by it before they are compared: the higher, the more the unlikely classes count."""
