"""What people write today with plain Ray Tune, Optuna and MLflow: no Isoflop, but where it says so."""
