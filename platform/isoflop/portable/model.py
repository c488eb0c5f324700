"""The code of a finalist's MLflow model: MLflow copies this file into the model and runs it, so nothing is pickled."""

from __future__ import annotations

from mlflow.models import set_model

from isoflop.portable.classifier import Classifier

set_model(Classifier())
