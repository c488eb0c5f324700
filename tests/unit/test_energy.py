"""Joules are what a made-up powercap folder and a made-up NVML count: wholes once, round counters, shares of work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from isoflop import energy
from isoflop.energy import CPU, GPU, Domain, Look, Meter, Processors, begun, domains, meter, told, visible

LIMIT = 262_143.328850
"""Joules, as Intel's counters have it."""


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """A machine of one package, with what lies within it, beside it, around it and a second time."""
    for folder, name in [
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "uncore"),
        ("intel-rapl:0:2", "dram"),
        ("intel-rapl:1", "psys"),
        ("intel-rapl-mmio:0", "package-0"),
    ]:
        place = tmp_path / folder
        place.mkdir()
        (place / "name").write_text(f"{name}\n")
        (place / "max_energy_range_uj").write_text(f"{LIMIT * 1e6:.0f}\n")
        count(tmp_path, folder, 1000.0)
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def count(powercap: Path, folder: str, joules: float) -> None:
    (powercap / folder / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    begun.cache_clear()
    yield
    begun.cache_clear()


def test_each_joule_is_counted_once(powercap: Path) -> None:
    assert [one.name for one in domains(powercap)] == ["package-0", "dram"]
    assert domains(powercap / "nothing") == []


def test_a_counter_comes_round(powercap: Path) -> None:
    (one, _) = domains(powercap)
    assert one.limit == pytest.approx(LIMIT)
    assert one.between(10.0, 25.0) == 15.0
    assert one.between(LIMIT - 5.0, 7.0) == pytest.approx(12.0)


def test_a_training_has_the_share_of_its_cpu_time() -> None:
    one = Processors([Domain(Path(), "package-0", LIMIT), Domain(Path(), "dram", LIMIT)], list)
    before = Look((100.0, LIMIT - 10), own=5.0, busy=50.0)
    assert one.between(before, Look((180.0, 10.0), own=8.0, busy=62.0)) == pytest.approx(100 * 3 / 12)
    assert one.between(before, Look((180.0, 10.0), own=5.0, busy=50.0)) == 0.0, "nobody worked"
    assert one.between(before, Look((180.0, 10.0), own=9.0, busy=53.0)) == pytest.approx(100.0), "clocks tick coarsely"
    assert one.between(before, Look((180.0, 10.0), own=1.0, busy=60.0)) == 0.0, "a process of it has ended"


def test_a_meter_counts_from_its_beginning_to_its_end(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worked = {"own": 10.0, "busy": 100.0}
    monkeypatch.setattr(energy, "_seconds", lambda pid: worked["own"])
    monkeypatch.setattr(energy, "_busy", lambda: worked["busy"])
    found = meter(lambda: [1], gpus=0, place=powercap)
    with found:
        count(powercap, "intel-rapl:0", 1300.0)
        worked.update(own=12.0, busy=104.0)
    assert found.joules() == {CPU: pytest.approx(150.0)}
    with found:
        count(powercap, "intel-rapl:0:2", 1010.0)
        worked.update(own=13.0, busy=105.0)
    assert found.joules() == {CPU: pytest.approx(10.0)}, "each report anew"


def test_looks_in_between_catch_a_counter_that_comes_round_twice(powercap: Path, monkeypatch: pytest.MonkeyPatch):
    ticks = iter(range(100))
    monkeypatch.setattr(energy, "_seconds", lambda pid: next(ticks))
    monkeypatch.setattr(energy, "_busy", lambda: 0.0)
    found = meter(lambda: [1], gpus=0, place=powercap)
    with found:
        for joules in (200_000.0, 100_000.0, 10_000.0):
            count(powercap, "intel-rapl:0", joules)
            found.take()
    assert found.joules() == {CPU: pytest.approx(199_000 + (LIMIT - 100_000) + (LIMIT - 90_000))}


def test_a_thread_looks_on_while_a_training_goes(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "EVERY", 0.001)
    looked = energy.Event()

    class Watched(Meter):
        def take(self) -> None:
            super().take()
            if self._watch is not None:
                looked.set()

    found = Watched(meter(lambda: [os.getpid()], gpus=0, place=powercap).sources)
    with found:
        assert looked.wait(10)
    assert found._watch is None


def test_the_work_of_this_process_is_seen(powercap: Path) -> None:
    with meter(lambda: [os.getpid(), 2**22 + 1], gpus=0, place=powercap) as found:
        before = energy._seconds(os.getpid())
        while energy._seconds(os.getpid()) < before + 0.05:
            sum(range(10_000))
        count(powercap, "intel-rapl:0", 1100.0)
    assert 0.0 < found.joules()[CPU] <= 100.0


def test_what_cannot_be_read_says_nothing(powercap: Path) -> None:
    found = meter(lambda: [os.getpid()], gpus=0, place=powercap)
    with found:
        (powercap / "intel-rapl:0" / "energy_uj").unlink()
    assert found.joules() == {}
    with found:
        pass
    assert found.joules() == {}
    with meter(list, gpus=0, place=powercap / "nothing") as none:
        assert none._watch is None
    assert none.joules() == {}


class FakeNvml:
    """Two GPUs, the second shared by two processes."""

    class NVMLError(Exception):
        """NVML's own."""

    def __init__(self) -> None:
        self.millijoules = [5_000, 7_000]

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's names
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, place: int) -> int:  # noqa: N802
        if place > 1:
            raise self.NVMLError("Invalid Argument")
        return place

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:  # noqa: N802
        return {"GPU-a": 0, "GPU-b": 1}[name]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if self.millijoules[handle] < 0:
            raise self.NVMLError("Not Supported")
        return self.millijoules[handle]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:  # noqa: N802
        return [SimpleNamespace(pid=n) for n in range(handle + 1)]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    found = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", found)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return found


def test_gpus_are_counted_by_nvml_in_parts(nvml: FakeNvml, tmp_path: Path) -> None:
    with meter(list, gpus=2, place=tmp_path) as found:
        nvml.millijoules = [6_000, 17_000]
    assert found.joules() == {GPU: pytest.approx(1 + 10 / 2)}
    with meter(list, gpus=1, place=tmp_path) as found:
        nvml.millijoules = [8_000, 90_000]
    assert found.joules() == {GPU: pytest.approx(2.0)}
    with meter(list, gpus=0, place=tmp_path) as found:
        pass
    assert found.joules() == {}


def test_a_gpu_that_counts_nothing_says_nothing(nvml: FakeNvml, tmp_path: Path) -> None:
    nvml.millijoules = [-1, -1]
    with meter(list, gpus=1, place=tmp_path) as found:
        pass
    assert found.joules() == {}


@pytest.mark.parametrize(
    ("named", "expected"), [(None, [0, 1]), ("1", [1]), ("GPU-b, GPU-a", [1, 0]), ("", []), ("7", [])]
)
def test_only_visible_gpus_are_asked(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, named: str | None, expected: list[int]
) -> None:
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible(nvml) == expected


def test_doctor_says_what_is_read_and_what_helps(powercap: Path, nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    assert told(powercap) == ("of processors by RAPL (package-0, dram); of GPUs by NVML", "")
    assert told(powercap / "nothing")[0].startswith(f"not of processors: there is no RAPL in {powercap}")
    begun.cache_clear()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(os, "access", lambda file, how: "rapl:0/" not in str(file))
    found, remedy = told(powercap)
    assert found == (
        "not of processors: their counters are for root alone; not of GPUs: pynvml or NVIDIA's driver is missing"
    )
    assert remedy == f"let them be read: sudo chmod a+r {powercap}/intel-rapl:0/energy_uj"


def test_without_a_driver_there_are_no_gpus(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise nvml.NVMLError("Driver Not Loaded")

    monkeypatch.setattr(nvml, "nvmlInit", fail)
    assert begun() is None
