"""Several trainings share a GPU by measured memory."""

from __future__ import annotations

import os

import pytest

from isoflop.errors import SpecError
from isoflop.execution.capacity import workers
from isoflop.execution.packing import Packing
from isoflop.faults import parse
from isoflop.records import Key, Record, Trial
from isoflop.study_spec import Resources

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


def test_a_training_on_several_devices_has_each_for_itself():
    assert Packing("auto", 80 * GB, devices=2).share(trial(GB)) == 2.0
    assert Packing(1.0, 0, devices=4).share(trial(GB)) == 4.0
    assert Packing("auto", 0, devices=2).share(trial(GB)) == 0.0


def test_a_trial_takes_the_cores_of_all_its_devices():
    assert workers(Resources(threads=1, devices=os.cpu_count() or 1)) == 1
    assert Resources(threads=2, devices=3).cpus == 6
    with pytest.raises(SpecError, match=r"gpus: 0.5 is no GPU for each of 2 devices; give 1 or auto"):
        parse(Resources, {"devices": 2, "gpus": 0.5})
