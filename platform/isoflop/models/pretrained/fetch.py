"""Where weights come from: a local file, or the registry of torchvision or timm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from isoflop.errors import DataError, Fault
from isoflop.models.pretrained.adapt import Weights
from isoflop.models.reference import REFERENCES, published

NESTS = ("state_dict", "model")
"""Under which files of whole trainings hold the weights."""
Fetch: TypeAlias = Callable[[str, str], Weights]
"""The weights that are published for a family's variant."""


def from_library(name: str, variant: str) -> Weights:
    """The weights that torchvision or timm publish, downloaded unless they are in the library's own cache.

    Raises `DataError` where the network cannot be reached or there are no such weights.
    """
    if (name, variant) not in REFERENCES:
        what = f"neither torchvision nor timm has {name} {variant}"
        raise DataError(Fault("", what, "name a file of weights: --file FILE"))
    try:
        return published(name, variant).state_dict()
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        what = f"weights of {REFERENCES[name, variant]} cannot be had ({reason})"
        remedy = "download them elsewhere and name the file: --file FILE"
        raise DataError(Fault("", what, remedy)) from None


def from_file(path: Path) -> Weights:
    """The weights in a `.safetensors`, `.pt` or `.pth` file. Raises `DataError` where it holds none."""
    if not path.is_file():
        raise DataError(Fault(str(path), "there is no such file", "name a .safetensors, .pt or .pth file"))
    try:
        found: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        reason = str(error).partition(". ")[0].partition("\n")[0]
        what = f"cannot be read as weights ({reason})"
        raise DataError(Fault(str(path), what, "name a .safetensors, .pt or .pth file of tensors alone")) from None
    while isinstance(found, dict) and (nest := next((key for key in NESTS if isinstance(found.get(key), dict)), None)):
        found = found[nest]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise DataError(Fault(str(path), "holds no tensors by name", "give the file of a state_dict"))
    return found
