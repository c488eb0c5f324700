from __future__ import annotations

import threading

import pytest
import ray

from isoflop.execution.ray_cluster import RayCluster
from isoflop.study_spec import Resources


def threads() -> int:
    return sum(thread.name == "ray" for thread in threading.enumerate())


@pytest.mark.usefixtures("ray_cluster")
def test_a_cluster_that_was_there_is_left_as_it_is():
    cluster = RayCluster(Resources(workers=2))
    cluster.ready()
    cluster.close()
    assert ray.is_initialized()
    assert not threads()


@pytest.mark.usefixtures("ray_cluster")
def test_one_that_was_never_wanted_is_never_started():
    RayCluster(Resources(workers=2)).close()
    assert not threads()


def test_what_keeps_it_from_starting_is_raised_where_it_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    def connect(self: RayCluster) -> None:
        raise ConnectionError(self.address)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(RayCluster, "_connect", connect)
    cluster = RayCluster(Resources(workers=2), "10.0.0.1:6379")
    cluster.start()
    with pytest.raises(ConnectionError, match=r"10\.0\.0\.1"):
        cluster.ready()
    cluster.close()
    assert not threads()


def test_its_thread_lives_until_it_is_left(monkeypatch: pytest.MonkeyPatch):
    ended: list[str] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(RayCluster, "_connect", lambda self: None)
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(threading.current_thread().name))
    cluster = RayCluster(Resources(workers=2))
    cluster.ready()
    assert threads() == 1
    assert not ended
    cluster.close()
    assert ended == ["ray"], "Ray is ended by the thread that started it"
