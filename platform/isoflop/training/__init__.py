"""The training core: a loop that yields records. It knows no Ray, Optuna or MLflow, no models and no data sets."""
