"""Faults of workers, nodes, heads and drivers lose nothing: the end is the undisturbed run's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from isoflop.home import Home
from isoflop.journal.event import Kind
from isoflop.journal.sqlite import SqliteJournal
from isoflop.outcome import Study, load_study
from isoflop.records import State
from isoflop.spec import Spec, spec_from_tree
from isoflop.study import Bench, resume, search
from isoflop.training import checkpoint

TREE = {
    "space": {
        "model.family": "lenet",
        "model.stem": 1,
        "model.width": {"choice": [1.0, 2.0, 4.0]},
        "optim.lr": {"float": [0.001, 0.1], "log": True},
    },
    "study": {
        "data": "digits",
        "fidelity": {"axis": "epochs", "horizon": 9, "reports": 9},
        "budget": {"trials": 8},
        "sampler": {"name": "random"},
        "resources": {"workers": 2},
    },
}


def spec(**study: object) -> Spec:
    return spec_from_tree({**TREE, "study": {**TREE["study"], **study}}, where="test", name="faults")


def rows(study: Study) -> list[tuple[object, ...]]:
    return [(t.number, t.state, dict(t.params), [dict(r.metrics) for r in t.records]) for t in study.trials]


@pytest.fixture(scope="module")
def undisturbed(home: Home) -> Study:
    return search(spec(), study="undisturbed", bench=Bench(home=home, executor="inline"))


class Driver:
    """A search in a process of its own, whose events are read from its journal's listener as they happen."""

    CODE = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from isoflop.bench import Bench\n"
        "from isoflop.home import Home\n"
        "from isoflop.spec import spec_from_tree\n"
        "from isoflop.study import search\n"
        "tree, home, name, executor, address = sys.argv[1:]\n"
        "listen = lambda event: print(event.kind, event.trial, flush=True)\n"
        "bench = Bench(home=Home(Path(home)), executor=executor, address=address or None, listeners=(listen,))\n"
        "search(spec_from_tree(json.loads(tree), where='test', name='faults'), study=name, bench=bench)\n"
    )

    def __init__(self, home: Home, name: str, *, executor: str = "inline", address: str = "", **study: object) -> None:
        tree = json.dumps({"space": TREE["space"], "study": {**TREE["study"], **study}})
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, tree, str(home.path), name, executor, address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, kind: Kind, count: int) -> None:
        """Wait for so many events of a kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            count -= line.split()[:1] == [kind]
            if not count:
                return
        raise AssertionError(self.process.communicate()[1])

    def end(self, seconds: float = 60) -> int:
        """Wait for it to end: its exit code."""
        self.process.communicate(timeout=seconds)
        return self.process.returncode


@pytest.fixture
def drivers() -> Iterator[list[Driver]]:
    """Drivers that are ended with the test, whatever happened."""
    started: list[Driver] = []
    yield started
    for driver in started:
        driver.process.kill()
        driver.process.wait()


@pytest.mark.parametrize(
    ("sign", "executor"),
    [(signal.SIGINT, "inline"), (signal.SIGINT, "processes"), (signal.SIGTERM, "processes"), (signal.SIGTERM, "ray")],
)
def test_a_stopped_driver_leaves_checkpoints_and_goes_on(
    home: Home, undisturbed: Study, drivers: list[Driver], sign: signal.Signals, executor: str
):
    name = f"stopped-{executor}-{sign.name.lower()}"
    drivers.append(Driver(home, name, executor=executor))
    drivers[0].until(Kind.RECORD, 5)
    drivers[0].process.send_signal(sign)
    assert drivers[0].end(30) != 0
    stopped = load_study(name, home=home.path)
    assert not any(trial.state in {State.RUNNING, State.WAITING} for trial in stopped.trials)
    assert stopped.store.history(name).closed == {"state": "INTERRUPTED", "reason": "stopped"}
    for trial in stopped.trials:
        if trial.reports and not trial.state.final:
            newest = next(checkpoint.standing(home.checkpoints(name, trial.key)))
            assert int(newest.name.partition("-")[0]) == trial.reports
    assert rows(resume(name, bench=Bench(home=home, executor="inline"))) == rows(undisturbed)


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_workers_nodes_and_the_head_may_be_killed(home: Home, undisturbed: Study, drivers: list[Driver]):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        node = cluster.add_node(num_cpus=1)
        drivers.append(Driver(home, "killed", executor="ray", address=cluster.address))
        drivers[0].until(Kind.RECORD, 2)
        os.kill(worker_of(cluster).pid, signal.SIGKILL)
        drivers[0].until(Kind.FAULT, 1)
        drivers[0].until(Kind.RECORD, 4)
        cluster.remove_node(node, allow_graceful=False)
        drivers[0].until(Kind.RECORD, 3)
        cluster.remove_node(cluster.head_node, allow_graceful=False)
        assert drivers[0].end(90) != 0
    finally:
        cluster.shutdown()
    resumed = resume("killed", bench=Bench(home=home, executor="inline"))
    assert rows(resumed) == rows(undisturbed)
    events = SqliteJournal(home.journal).read("killed")
    assert max(Counter(event.trial for event in events if event.kind is Kind.END).values()) == 1
    assert {trial.state for trial in resumed.trials} <= {State.COMPLETE, State.PRUNED}


def worker_of(cluster: object) -> psutil.Process:
    """A process that trains on the cluster."""
    raylets = [info.process.pid for node in cluster.list_all_nodes() for info in node.all_processes["raylet"]]  # type: ignore[attr-defined]
    children = [child for pid in raylets for child in psutil.Process(pid).children(recursive=True)]
    return next(child for child in children if "Trainable" in " ".join(child.cmdline()))
