"""How the weights of convolutions and dense layers are drawn, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor, nn

INITIALIZATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),  # He et al. 2015, arXiv 1502.01852, equation 10
    "glorot": nn.init.xavier_uniform_,  # Glorot & Bengio 2010, equation 16
}


def initialize(name: str, module: nn.Module) -> bool:
    """Draw a module's own weights anew, its biases zero; tell whether it is one that has such weights."""
    if not isinstance(module, (nn.Conv2d, nn.Linear)):
        return False
    INITIALIZATIONS[name](module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return True
