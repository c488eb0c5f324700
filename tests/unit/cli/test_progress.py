from __future__ import annotations

from pathlib import Path

from isoflop.cli.progress import Watch
from isoflop.execution.inline import InlineExecutor
from isoflop.execution.recorder import Recorder
from isoflop.journal.history import History
from isoflop.journal.memory import MemoryJournal
from isoflop.records import State
from tests.scripted import Desk, open_scripted, plan

OBJECTIVES = ["val_accuracy", "parameters"]


def test_a_study_is_shown_by_all_its_objectives(tmp_path: Path):
    search = plan(budget={"trials": 12}, sampler={"name": "random"}, objectives=OBJECTIVES)
    watch, lines = Watch(search.spec.objectives, 12, History()), list[str]()
    journal = MemoryJournal()
    with Recorder(journal, "s", holder="test", listeners=[lambda event: watch.tell(event, lines.append)]) as recorder:
        InlineExecutor().run(search, recorder, Desk(tmp_path), open_scripted)
        trials = list(recorder.history.trials.values())
    assert len(lines) == len(trials)
    assert watch.done == 12 == sum(not trial.free for trial in trials)
    complete = [trial for trial in trials if trial.state is State.COMPLETE]
    best = max(trial.value("val_accuracy") for trial in complete)
    assert watch.status().startswith(f"0 open, best val_accuracy {best:.4f}, parameters ")
    assert all("val_accuracy" in line and "parameters" in line for line in lines if "epochs" in line)
    assert lines[-1].startswith("[12/12] trial ")
    again = Watch(search.spec.objectives, 12, History.fold(journal.read("s")))
    assert (again.done, again.status()) == (watch.done, watch.status())
