"""Several trainings share a GPU by measured memory."""

from __future__ import annotations

from isoflop.execution.packing import Packing
from isoflop.records import Key, Record, Trial

GB = 10**9


def trial(memory: float, number: int = 0) -> Trial:
    return Trial(number=number, memory=int(memory))


def record(memory: float) -> Record:
    return Record(report=1, step=1, epoch=1, images=1, flops=1, fidelity=1, metrics={}, measured={"memory": memory})


def test_small_trainings_share_and_large_ones_do_not():
    packing = Packing("auto", 80 * GB)
    assert packing.share(trial(1 * GB)) == 1 / 8
    assert packing.share(trial(20 * GB)) == 1 / 2
    assert packing.share(trial(70 * GB)) == 1.0
    assert packing.share(trial(700 * GB)) == 1.0


def test_what_was_measured_corrects_the_estimate():
    packing = Packing("auto", 80 * GB)
    packing.learn(trial(2 * GB), record(10 * GB))
    assert packing.share(trial(2 * GB)) == 1 / 4
    packing.learn(trial(2 * GB), record(1 * GB))
    assert packing.share(trial(2 * GB)) == 1 / 4


def test_who_ran_out_of_memory_gets_a_gpu_alone():
    packing = Packing("auto", 80 * GB)
    packing.exhausted(Key(trial=3))
    assert packing.share(trial(GB, number=3)) == 1.0
    assert packing.share(trial(GB, number=4)) == 1 / 8


def test_a_fixed_share_is_given_as_it_is_and_a_machine_without_gpus_gives_none():
    assert Packing(0.25, 0).share(trial(GB)) == 0.25
    assert Packing("auto", 0).share(trial(GB)) == 0.0
