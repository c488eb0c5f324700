"""Worker processes of this machine."""

from __future__ import annotations

import pytest

from isoflop.errors import InputError
from isoflop.execution.crew import Crew
from isoflop.execution.process_executor import ProcessExecutor
from isoflop.study_spec import Resources
from tests.scripted import open_scripted


@pytest.mark.parametrize("gpus", [0.5, 1.0, "auto"])
def test_trainings_that_want_gpus_are_refused(gpus: object):
    with pytest.raises(InputError, match=r"study.resources.gpus: .* processes train on the CPU; .*--executor ray"):
        ProcessExecutor(Resources.model_validate({"gpus": gpus}))


def test_an_idle_worker_that_is_gone_is_replaced():
    with Crew(1, open_scripted) as crew:
        first = crew.free()
        assert crew.free() is first
        first.kill()
        assert crew.free() is not first
        assert crew.busy == []
