"""What models cost on a data set, as plans ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from isoflop.config import ModelConfig
from isoflop.data import PreparedData
from isoflop.errors import SpecError
from isoflop.plan import Price
from isoflop.weights import About, misfit

if TYPE_CHECKING:
    from isoflop.models.cost import Cost


def pricing(prepared: PreparedData, stored: Mapping[str, About]) -> Price:
    """What models cost on the images and classes of a data set; `stored` are the weights that they may begin with."""
    return partial(_price, image=prepared.shape, classes=prepared.outputs, stored=stored)


def _price(
    model: ModelConfig,
    *,
    image: tuple[int, int, int],
    classes: int,
    stored: Mapping[str, About],
    batch: int,
    states: int,
    share: float = 1.0,
    recompute: bool = False,
) -> Cost:
    """What a model costs; torch is imported when the first is asked for.

    Raises `SpecError` for a shape that cannot be, or that the weights which it begins with do not fit.
    """
    from isoflop.models import cost

    if model.weights and (fault := misfit(stored[model.weights], model, model.weights)):
        raise SpecError(fault)
    return cost(model, image=image, classes=classes, batch=batch, states=states, share=share, recompute=recompute)
