"""A Ray cluster for one run: the one that this process has, that at an address, or a local one.

It starts in a thread, 3 seconds, while the driver imports torch and counts the first models; it ends there while the
last records are written. The thread lives as long as the cluster: the kernel ends Ray's processes with the thread that
started them.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import Future

from isoflop.execution.capacity import workers
from isoflop.study_spec import Resources

os.environ.update(  # read when Ray is imported
    {
        "RAY_USAGE_STATS_ENABLED": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "86400",
        "TUNE_MAX_PENDING_TRIALS_PG": "100000",  # `Tuning` knows better
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    }
)


class RayCluster:
    """Starts, and ends, in the background; one that was there before is left as it is."""

    def __init__(self, resources: Resources, address: str | None = None) -> None:
        self.resources, self.address = resources, address
        self._ready: Future[None] = Future()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to start, unless it was begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, name="ray", daemon=True)
            self._thread.start()

    def ready(self) -> None:
        """Wait until it has started. Raises what kept it from that."""
        self.start()
        self._ready.result()

    def leave(self) -> None:
        """Begin to end."""
        self._over.set()

    def close(self) -> None:
        """Wait until it has ended."""
        self.leave()
        if self._thread is not None:
            self._thread.join()

    def _live(self) -> None:
        import ray

        if ray.is_initialized():
            self._ready.set_result(None)
            return
        try:
            self._connect()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        self._over.wait()
        ray.shutdown()

    def _connect(self) -> None:
        import ray

        if self.address:
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR)
            return
        cpus = workers(self.resources) * self.resources.cpus
        # "local", or Ray would join any cluster that happens to run on this machine.
        ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
