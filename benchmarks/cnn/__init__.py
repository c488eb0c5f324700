"""A family of another package, as a person may bring one: the CNN of three layers that `head_to_head` trains."""

from __future__ import annotations

from isoflop.families import Family

FAMILY = Family(
    name="cnn3",
    paper="none: three convolutions with batch norm, as in any tutorial",
    builder="benchmarks.cnn.body",
    stem=1,
    stems=(1,),
    recipe={"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 0.0},
)
