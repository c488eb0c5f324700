"""A finalist as MLflow's kind of model: image files in, classes and probabilities out, in a data frame.

Importing this module loads mlflow and torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array

from isoflop.errors import DataError
from isoflop.inference import Model
from isoflop.portable.folder import FINALIST, unpack
from isoflop.tasks import CLASSIFICATION, Kind

IMAGE: Final = "image"
"""The one column that is asked for: the bytes of an image file, in JSON as base64."""


class Classifier(PythonModel):  # type: ignore[misc]
    """What `mlflow models serve` and `mlflow.pyfunc.load_model` call; `model` is the net behind it."""

    model: Model

    def load_context(self, context: PythonModelContext) -> None:
        """Build the net and load its weights."""
        self.model = unpack(Path(context.artifacts[FINALIST]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row an image: see `signature`. Raises `MlflowException`, a bad request, for a file that is no image."""
        del context, params
        try:
            images = self.model.read(list(model_input[IMAGE]))
        except DataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        return answers(self.model, self.model.logits(images))


def answers(model: Model, logits: Any) -> pd.DataFrame:
    """Logits (N, classes) as the rows that `signature` describes."""
    chances = model.chances(logits)
    frame = pd.DataFrame({"probabilities": list(chances), "logits": list(logits.astype(float))})
    if model.facts.task is CLASSIFICATION:
        frame.insert(0, "label", [model.classes[place] for place in chances.argmax(1)])
        frame.insert(1, "probability", chances.max(1, initial=0.0))
    else:
        frame.insert(0, "labels", [[model.classes[place] for place in row.nonzero()[0]] for row in logits > 0])
    return frame


def signature(task: Kind) -> ModelSignature:
    """What goes in and comes out: `probabilities` and `logits` are in the order of `labels.json`.

    Of one label an image, `label` and its `probability`; of several, `labels`, those with more than even odds.
    """
    numbers = [ColSpec(Array(DataType.double), name) for name in ("probabilities", "logits")]
    label = [ColSpec(DataType.string, "label"), ColSpec(DataType.double, "probability")]
    labels = [ColSpec(Array(DataType.string), "labels")]
    first = label if task is CLASSIFICATION else labels
    return ModelSignature(Schema([ColSpec(DataType.binary, IMAGE)]), Schema([*first, *numbers]))
