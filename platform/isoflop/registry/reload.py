"""A model out of the store, asked again what its training answered: on validation, so that no test set is opened."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from isoflop.evaluation.predictions import load_predictions, save_predictions
from isoflop.inference import Model
from isoflop.portable.finalist import Finalist
from isoflop.reproduction.comparison import Answers, compare_answers
from isoflop.trained import open_for, predict_split


def answered_again(model: Model, finalist: Finalist) -> Answers | None:
    """What a reloaded model answers on the finalist's validation images, held against what is stored of it.

    None where nothing is stored. Raises `DataError` where the data are gone or are others.
    """
    stored = finalist.predictions("val")
    if stored is None:
        return None
    config, prepared = model.facts.config, open_for(model.facts.config, Path(finalist.facts["data"]["path"]))
    torch.set_num_threads(config.train.threads)
    device = next(model.net.parameters()).device
    logits, labels = predict_split(
        model.net, prepared, "val", device, size=config.train.piece, precision=config.train.precision, data=config.data
    )
    with tempfile.TemporaryDirectory() as folder:  # as they are stored, in float16
        path = Path(folder) / "val_predictions.npz"
        save_predictions(
            path, logits, labels, split=config.data.validation, data_digest=prepared.digest, task=prepared.task
        )
        return compare_answers(stored, load_predictions(path))
