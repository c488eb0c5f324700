"""The Ray executor: trainings on the workers of a Ray cluster."""

from __future__ import annotations

from isoflop.execution.desk import Desk
from isoflop.execution.floor import Floor
from isoflop.execution.ray_cluster import RayCluster
from isoflop.execution.recorder import Recorder
from isoflop.execution.training import Open
from isoflop.plan import Plan
from isoflop.study_spec import Resources


class RayExecutor:
    """Runs trainings on a Ray cluster, by default one that is started on this machine for the run."""

    def __init__(self, resources: Resources, *, address: str | None = None) -> None:
        self.resources, self.cluster = resources, RayCluster(resources, address)

    def prepare(self) -> None:
        """Begin to start the cluster."""
        self.cluster.start()

    def run(self, plan: Plan, recorder: Recorder, desk: Desk, open_training: Open) -> None:
        """Run to the end."""
        self.prepare()
        with recorder.interrupted():
            from isoflop.execution.ray_tune import tuned  # 1.5 s, while the cluster starts

            floor = Floor(plan, recorder, desk)
            floor.decide()  # imports what counts models
            self.cluster.ready()
            try:
                tuned(floor, self.resources, open_training)
            finally:
                self.cluster.leave()

    def close(self) -> None:
        """Wait until the cluster has ended."""
        self.cluster.close()
