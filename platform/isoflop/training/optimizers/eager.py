"""Torch's optimizers without its compiler.

They import it when they are first used, which takes each process 1.4 seconds, only to keep it out of themselves. A
training steps eagerly, so these are the same optimizers without what keeps the compiler out: in all of them that is
the decorator of `step` and those of the four methods of their base class.
"""

from __future__ import annotations

from functools import cache
from inspect import unwrap
from typing import Any

from torch import no_grad
from torch.optim import Optimizer

GUARDED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
"""Methods of the base class."""


@cache
def eager(kind: type[Optimizer]) -> type[Optimizer]:
    """The same optimizer of torch; it needs no gradient of its own steps, which it could have with the compiler."""
    members: dict[str, Any] = {name: unwrap(getattr(Optimizer, name)) for name in GUARDED}
    members["step"] = no_grad()(unwrap(kind.step))
    return type(f"Eager{kind.__name__}", (kind,), members)
