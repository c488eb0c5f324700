"""MLflow on loopback, as a process: `python -m tests.mlflow_server DATABASE ARTIFACTS` prints its address."""

from __future__ import annotations

import sys

from mlflow.server import app, handlers
from werkzeug.serving import make_server


def main(database: str, artifacts: str) -> None:
    """Serve until the process is ended."""
    handlers.initialize_backend_stores(f"sqlite:///{database}", default_artifact_root=artifacts)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
