"""What every tracker keeps: one suite over MLflow on SQLite, PostgreSQL and a server, and the twin in memory."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy

from benchmarks.mlflow_server import mlflow_server
from isoflop.errors import LeaseError
from isoflop.journal.event import Event, Kind
from isoflop.journal.memory import MemoryJournal
from isoflop.records import Key, Record
from isoflop.tracking.audit import What
from isoflop.tracking.memory import MemoryTracker
from isoflop.tracking.mending import Mended, find, mend
from isoflop.tracking.mlflow_connection import create_database
from isoflop.tracking.mlflow_tracker import MlflowTracker
from isoflop.tracking.projection import SEQ, legal, status_of
from isoflop.tracking.redaction import clip
from tests.postgres import postgres

PROVENANCE = {
    "code": "c0de",
    "git_commit": "abc",
    "git_dirty": True,
    "dvc_revision": "d1",
    "lock_hash": "l0",
    "hardware": "a machine, 2 cores",
    "versions": {"torch": "2.15.0"},
}
STUDY = {
    "name": "digits",
    "plan": "search",
    "parent": None,
    "spec": {"study": {"name": "digits"}, "space": {}},
    "data": {"name": "digits", "digest": "dd" * 32, "path": "/data/digits"},
    "provenance": PROVENANCE,
}


def start(trial, replicate=0, **config):
    payload = {
        "params": {"optim.lr": 0.1},
        "config": {"model.family": "vit", "optim.lr": 0.1, "optim.nesterov": True, "model.resolution": None, **config},
        "seed": 7,
        "fingerprint": f"f{trial}",
        "parameters": 1000,
        "flops": 2e6,
        "source": "tpe",
    }
    return Event(kind=Kind.START, trial=trial, replicate=replicate, payload=payload)


def record(trial, report, accuracy, replicate=0):
    made = Record(
        report=report,
        step=report * 10,
        epoch=report / 2,
        images=100 * report,
        flops=1e6 * report,
        fidelity=float(report),
        metrics={"val_accuracy": accuracy, "val_loss": 1.0 / report},
        measured={"seconds": 0.25, "memory": 1e9},
    )
    return Event(kind=Kind.RECORD, trial=trial, replicate=replicate, index=report, payload=made.to_dict())


def state(trial, value, index=0):
    return Event(kind=Kind.STATE, trial=trial, index=index, payload={"state": value})


def end(trial, value, reason="", replicate=0):
    payload = {"state": value, "reason": reason}
    return Event(kind=Kind.END, trial=trial, replicate=replicate, payload=payload)


def number(*events):
    """As a journal gives them: with their place, and a second apart."""
    return [
        Event(
            kind=e.kind,
            trial=e.trial,
            replicate=e.replicate,
            index=e.index,
            payload=e.payload,
            time=1_700_000_000.0 + i + 0.25,
            seq=10 + i,
        )
        for i, e in enumerate(events)
    ]


OPENING = Event(kind=Kind.STUDY, payload=STUDY)
CLOSING = Event(kind=Kind.CLOSED, payload={"state": "COMPLETE", "reason": "budget"})
EVENTS = number(
    OPENING,
    start(0),
    state(0, "RUNNING"),
    start(1),
    record(0, 1, 0.5),
    end(1, "INFEASIBLE", "parameters <= 10"),
    record(0, 2, 0.6),
    state(0, "WAITING", 1),
    state(0, "RUNNING", 2),
    record(0, 3, 0.7),
    end(0, "COMPLETE"),
    start(2),
    start(2, replicate=1),
    record(2, 1, 0.1),
    record(2, 1, 0.2, replicate=1),
    end(2, "PRUNED", "rung"),
    end(2, "FAILED", "diverged: val_loss is not finite at step 9", replicate=1),
    CLOSING,
)


@dataclass
class Bench:
    """A place for records: makes trackers that write to it, and shows what stands there."""

    make: Callable[[], Any]
    show: Callable[[str], dict[Any, dict[str, Any]]]


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """MLflow's database, made once: its migrations take a second."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.sqlite"
    create_database(path, path.parent / "artifacts")
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The addresses of an MLflow server and of the database behind it."""
    with mlflow_server(tmp_path_factory.mktemp("server")) as running:
        yield running.uri, running.database


@pytest.fixture(scope="session")
def postgres_uri():
    """MLflow's tables in PostgreSQL."""
    with postgres() as uri:
        yield uri


ROWS = ("experiment_tags", "latest_metrics", "metrics", "params", "tags", "input_tags", "inputs", "datasets", "runs")


def emptied(uri):
    """A database that others wrote to, without their rows."""
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        if sqlalchemy.inspect(connection).has_table("runs"):
            for table in ROWS:
                connection.execute(sqlalchemy.text(f"DELETE FROM {table}"))
            connection.execute(sqlalchemy.text("DELETE FROM experiments WHERE name != 'Default'"))
    engine.dispose()


@pytest.fixture(params=["memory", "sqlite", "server", pytest.param("postgres", marks=pytest.mark.postgres)])
def bench(request, tmp_path):
    if request.param == "memory":
        yield memory_bench()
        return
    if request.param == "sqlite":
        path = tmp_path / "a folder's name" / "mlflow.sqlite"
        path.parent.mkdir()
        shutil.copy(request.getfixturevalue("database"), path)
        uri = f"sqlite:///{path}"
    elif request.param == "server":
        uri, behind = request.getfixturevalue("server")
        emptied(behind)
    else:
        uri = request.getfixturevalue("postgres_uri")
        emptied(uri)
    yield mlflow_bench(uri, tmp_path / "artifacts")


def memory_bench():
    tracker = MemoryTracker()

    def show(study):
        return {
            key: {
                "tags": dict(run.tags),
                "params": dict(run.params),
                "metrics": {
                    name: sorted((m.step, m.value, round(m.time * 1000)) for m in rows)
                    for name, rows in run.metrics.items()
                },
                "status": status_of(run.state),
                "times": (run.began, run.ended),
                "data": run.data[:36],
                "above": run.above,
            }
            for key, run in tracker.runs[study].items()
        }

    return Bench(lambda: tracker, show)


def mlflow_bench(uri, artifacts):
    trackers = []

    def make():
        trackers.append(MlflowTracker(uri, artifacts=artifacts))
        return trackers[-1]

    def show(study):
        client = trackers[0].client
        ids = [e.experiment_id for e in client.search_experiments()]
        runs = client.search_runs(ids, f"tags.`isoflop.study` = '{study}'")
        places = {run.info.run_id: key_of(run) for run in runs}
        shown = {key_of(run): show_run(client, run, places) for run in runs}
        assert len(shown) == len(runs), "a training has two runs"
        return shown

    return Bench(make, show)


def key_of(run):
    tags = run.data.tags
    if "isoflop.trial" not in tags:
        return None
    trial, replicate = int(tags["isoflop.trial"]), tags["isoflop.replicate"]
    return trial if replicate == "all" else Key(trial=trial, replicate=int(replicate))


OWN = {
    "isoflop.study",
    "isoflop.trial",
    "isoflop.replicate",
    "isoflop.seq",
    "isoflop.began",
    "isoflop.role",
    "isoflop.updated",
    "isoflop.study_run",
}


def show_run(client, run, places):
    finished = run.info.end_time
    return {
        "tags": {n: t for n, t in run.data.tags.items() if n.startswith("isoflop.") and n not in OWN},
        "params": run.data.params,
        "metrics": {
            name: sorted((m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
            if name != SEQ
        },
        "status": run.info.status,
        "times": (run.info.start_time / 1000, finished and finished / 1000),
        "data": "".join(one.dataset.digest for one in run.inputs.dataset_inputs),
        "above": places.get(run.data.tags.get("mlflow.parentRunId")),
    }


def write(bench, *batches):
    tracker = bench.make()
    tracker.begin("s", batches[0][0])
    for batch in batches:
        tracker.sync("s", batch)
    return bench.show("s")


def test_each_training_has_a_run_of_its_own(bench, capfd):
    runs = write(bench, EVENTS)
    assert capfd.readouterr().out == ""
    keys = [None, Key(trial=0), Key(trial=1), 2, Key(trial=2), Key(trial=2, replicate=1)]
    assert set(runs) == set(keys)


def test_replicates_hang_below_their_trial_and_trials_below_the_study(bench):
    runs = write(bench, EVENTS)
    below = {place: run["above"] for place, run in runs.items() if place is not None}
    assert below == {Key(trial=0): None, Key(trial=1): None, 2: None, Key(trial=2): 2, Key(trial=2, replicate=1): 2}


def test_a_trial_with_several_replicates_shows_their_mean_after_each_that_is_complete(bench):
    events = number(
        OPENING,
        start(0),
        record(0, 1, 0.5),
        end(0, "COMPLETE"),
        start(0, replicate=1),
        start(0, replicate=2),
        record(0, 1, 0.7, replicate=1),
        end(0, "COMPLETE", replicate=1),
        end(0, "FAILED", "diverged", replicate=2),
        Event(kind=Kind.OPENED, trial=0, payload={"data_digest": "dd", "metrics": {"test_accuracy": 0.5}}),
        Event(kind=Kind.OPENED, trial=0, replicate=1, payload={"data_digest": "dd", "metrics": {"test_accuracy": 0.6}}),
    )
    run = write(bench, events)[0]
    assert [(step, value) for step, value, _ in run["metrics"]["val_accuracy"]] == [(1, 0.5), (2, pytest.approx(0.6))]
    assert [(step, value) for step, value, _ in run["metrics"]["test_accuracy"]] == [(1, 0.5), (2, 0.55)]
    assert run["params"]["optim.lr"] == "0.1"
    assert (run["status"], run["times"]) == ("FAILED", (events[1].time, events[8].time))
    assert (run["tags"]["isoflop.state"], run["tags"]["isoflop.data_digest"]) == ("FAILED", "dd" * 32)


def test_every_run_has_the_data_set_as_its_input(bench):
    assert {run["data"] for run in write(bench, EVENTS).values()} == {"d" * 36}


def test_a_trial_s_run_tells_where_it_comes_from(bench):
    tags = write(bench, EVENTS)[Key(trial=0)]["tags"]
    assert {name.removeprefix("isoflop."): text for name, text in tags.items()} == {
        "state": "COMPLETE",
        "reason": "",
        "fingerprint": "f0",
        "seed": "7",
        "source": "tpe",
        "data_digest": "dd" * 32,
        "dvc_revision": "d1",
        "git_commit": "abc",
        "git_dirty": "true",
        "lock_hash": "l0",
        "code": "c0de",
        "hardware": "a machine, 2 cores",
        "params": '{"optim.lr": 0.1}',
    }


def test_the_study_s_run_tells_its_plan_versions_and_end(bench):
    run = write(bench, EVENTS)[None]
    assert run["tags"]["isoflop.plan"] == "search"
    assert run["tags"]["isoflop.versions"] == '{"torch": "2.15.0"}'
    assert (run["tags"]["isoflop.state"], run["tags"]["isoflop.reason"]) == ("COMPLETE", "budget")
    assert (run["status"], run["times"]) == ("FINISHED", (EVENTS[0].time, EVENTS[-1].time))


def test_a_verdict_that_comes_after_the_end_is_a_tag_of_its_run_which_stays_as_it_ended(bench):
    first = {"report": 2, "metric": "val_loss", "recorded": 0.5, "found": 0.6}
    payload = {"answer": "different", "tolerance": 0.01, "first": first, "hardware": "another machine", "code": "c0de"}
    verdict = Event(kind=Kind.VERDICT, trial=2, replicate=1, payload=payload)
    events = number(*EVENTS, verdict)
    before, after = write(bench, EVENTS), write(bench, events)
    key = Key(trial=2, replicate=1)
    told = {name: text for name, text in after[key]["tags"].items() if before[key]["tags"].get(name) != text}
    assert json.loads(told.pop("isoflop.verdict")) == payload
    assert told == {
        "isoflop.reproduced": "different",
        "isoflop.reproduced_hardware": "another machine",
        "isoflop.reproduced_tolerance": "0.01",
        "isoflop.reproduced_code": "c0de",
        "isoflop.reproduced_first_difference": json.dumps(first, sort_keys=True),
    }
    assert {name: after[key][name] for name in ("status", "times", "metrics")} == {
        name: before[key][name] for name in ("status", "times", "metrics")
    }


def test_parameters_are_the_dotted_configuration(bench):
    params = write(bench, EVENTS)[Key(trial=0)]["params"]
    assert params == {
        "model.family": "vit",
        "optim.lr": "0.1",
        "optim.nesterov": "true",
        "model.resolution": "null",
    }


def test_metrics_stand_at_their_report_and_time(bench):
    metrics = write(bench, EVENTS)[Key(trial=0)]["metrics"]
    times = [round(EVENTS[place].time * 1000) for place in (4, 6, 9)]
    assert metrics["val_accuracy"] == [(1, 0.5, times[0]), (2, 0.6, times[1]), (3, 0.7, times[2])]
    assert [value for _, value, _ in metrics["training_flops"]] == [1e6, 2e6, 3e6]
    assert [value for _, value, _ in metrics["measured.seconds"]] == [0.25] * 3
    assert metrics["parameters"] == [(0, 1000.0, round(EVENTS[1].time * 1000))]


@pytest.mark.parametrize(
    ("key", "status", "began", "ended"),
    [
        (Key(trial=0), "FINISHED", 1, 10),
        (Key(trial=1), "FINISHED", 3, 5),
        (Key(trial=2), "FINISHED", 11, 15),
        (Key(trial=2, replicate=1), "FAILED", 12, 16),
    ],
)
def test_a_run_ends_as_its_training_did(bench, key, status, began, ended):
    run = write(bench, EVENTS)[key]
    assert run["status"] == status
    assert run["times"] == (EVENTS[began].time, EVENTS[ended].time)


def test_reason_and_state_stand_beside_the_status(bench):
    runs = write(bench, EVENTS)
    told = {
        key.trial: (r["tags"]["isoflop.state"], r["tags"]["isoflop.reason"])
        for key, r in runs.items()
        if isinstance(key, Key)
    }
    assert told[1] == ("INFEASIBLE", "parameters <= 10")
    assert runs[Key(trial=2)]["tags"]["isoflop.state"] == "PRUNED"


@pytest.mark.parametrize(
    ("last", "status"), [("RUNNING", "RUNNING"), ("WAITING", "SCHEDULED"), ("INTERRUPTED", "SCHEDULED")]
)
def test_an_open_trial_is_not_finished(bench, last, status):
    run = write(bench, number(OPENING, start(0), state(0, "WAITING"), state(0, last, 1)))[Key(trial=0)]
    assert (run["status"], run["times"][1], run["tags"]["isoflop.state"]) == (status, None, last)


def test_one_event_at_a_time_gives_the_same_records(bench):
    apart = write(bench, *([event] for event in EVENTS))
    assert apart == write(memory_bench(), EVENTS)


def test_writing_twice_changes_nothing(bench):
    once = write(bench, EVENTS)
    assert write(bench, EVENTS, EVENTS[:5], EVENTS[3:9], EVENTS) == once


def test_a_restart_goes_on_with_the_same_runs(bench):
    write(bench, EVENTS[:7])
    again = bench.make()
    assert again.begin("s", EVENTS[0]) == EVENTS[6].seq
    again.sync("s", EVENTS)
    assert bench.show("s") == write(memory_bench(), EVENTS)


def test_two_writers_in_turn_share_the_runs(bench):
    first, second = bench.make(), bench.make()
    for tracker in (first, second):
        tracker.begin("s", EVENTS[0])
    for place, tracker in enumerate([first, second] * (len(EVENTS) // 2)):
        tracker.sync("s", EVENTS[: place + 1])
    assert bench.show("s") == write(memory_bench(), EVENTS)


def test_a_study_that_goes_on_runs_again(bench):
    more = Event(kind=Kind.STUDY, index=1, payload=STUDY | {"provenance": PROVENANCE | {"git_commit": "def"}})
    events = number(OPENING, start(0), CLOSING, more, start(1))
    runs = write(bench, events)
    assert runs[None]["status"] == "RUNNING"
    assert [runs[Key(trial=t)]["tags"]["isoflop.git_commit"] for t in (0, 1)] == ["abc", "def"]


def test_studies_do_not_mix(bench):
    tracker = bench.make()
    for study, accuracy in (("s", 0.1), ("t", 0.9)):
        events = number(OPENING, start(0), record(0, 1, accuracy))
        tracker.begin(study, events[0])
        tracker.sync(study, events)
    shown = [bench.show(study)[Key(trial=0)]["metrics"]["val_accuracy"][0][1] for study in ("s", "t")]
    assert shown == [0.1, 0.9]


@pytest.fixture
def journal():
    """A study's events in a journal, and nobody who runs it."""
    made = MemoryJournal()
    lease = made.acquire("s", "driver", 60)
    made.append(lease, EVENTS)
    made.release(lease)
    return made


def test_a_store_is_written_from_the_journal_alone_and_a_second_time_changes_nothing(bench, journal):
    tracker = bench.make()
    assert (find(tracker, journal, "s")[0].what, find(tracker, journal, "s")[0].detail) == (What.GAP, "is missing")
    assert mend(tracker, journal, "s", holder="me") == Mended(study="s", runs=6, written=6)
    once = bench.show("s")
    assert once == write(memory_bench(), journal.read("s"))
    assert mend(tracker, journal, "s", holder="me") == Mended(study="s", runs=6)
    assert bench.show("s") == once
    assert find(tracker, journal, "s") == []


def test_gaps_and_runs_that_the_journal_does_not_know_are_found_and_mended(bench, journal):
    tracker, events = bench.make(), journal.read("s")
    unknown = number(*EVENTS, start(7), end(7, "COMPLETE"))
    tracker.begin("s", events[0])
    tracker.sync("s", [*events[:-4], *unknown[-2:]])
    seen = {run.place: run for run in tracker.seen("s", events[0])}
    tracker.remove([seen[Key(trial=0)].id])
    found = {(flaw.what, flaw.place, flaw.detail) for flaw in find(tracker, journal, "s")}
    assert {
        (What.GAP, Key(trial=0), "is missing"),
        (What.SURPLUS, Key(trial=7), "the journal does not know it"),
        (What.GAP, Key(trial=2, replicate=1), "lacks val_accuracy"),
    } <= found
    mended = mend(tracker, journal, "s", holder="me")
    assert (mended.runs, mended.removed) == (6, 1)
    assert bench.show("s") == write(memory_bench(), events)


def test_what_was_left_running_is_ended_and_goes_on_with_the_same_run(bench):
    journal = MemoryJournal()
    lease = journal.acquire("s", "driver", 60)
    journal.append(lease, EVENTS[:7])
    journal.release(lease)
    tracker = bench.make()
    assert mend(tracker, journal, "s", holder="me") == Mended(study="s", runs=3, written=3, ended=2)
    runs = bench.show("s")
    assert [runs[place]["status"] for place in (None, Key(trial=0))] == ["KILLED", "KILLED"]
    assert runs[None]["times"][1] == EVENTS[6].time
    assert find(tracker, journal, "s") == []
    journal.append(journal.acquire("s", "driver", 60), EVENTS)
    tracker.begin("s", journal.read("s")[0])
    tracker.sync("s", journal.read("s"))
    assert bench.show("s") == write(memory_bench(), journal.read("s"))


def test_records_of_a_study_that_somebody_runs_are_its_driver_s(bench, journal):
    journal.acquire("s", "somebody:1", 60)
    with pytest.raises(LeaseError, match="somebody"):
        mend(bench.make(), journal, "s", holder="me")


def test_what_is_not_finite_is_a_tag_and_no_number(bench):
    runs = write(bench, number(OPENING, start(0), record(0, 1, 0.5), record(0, 2, math.nan), record(0, 3, math.inf)))
    run = runs[Key(trial=0)]
    assert [(step, value) for step, value, _ in run["metrics"]["val_accuracy"]] == [(1, 0.5)]
    assert run["tags"]["isoflop.diverged"] == "val_accuracy at report 3"


def test_secrets_stay_here(bench):
    leak = start(0, **{"data.api_key": "k3y", "data.name": "https://me:hush@host/d", "model.tokens": 4})
    why = "no answer from postgres://me:hush@db/x?sslmode=on&password=hush"
    runs = write(bench, number(OPENING, leak, end(0, "FAILED", why)))
    run = runs[Key(trial=0)]
    assert run["params"]["data.api_key"] == "REDACTED"
    assert run["params"]["data.name"] == "https://REDACTED@host/d"
    assert run["params"]["model.tokens"] == "4"
    assert "hush" not in str(run)


def test_names_and_lengths_are_made_to_fit(bench):
    made = Record(report=1, step=1, epoch=1, images=1, flops=1, fidelity=1, metrics={"acc@5 (é)": 0.5})
    events = number(
        OPENING,
        start(0, **{"x" * 400: 1, "data.long": "y" * 9000}),
        Event(kind=Kind.RECORD, trial=0, index=1, payload=made.to_dict()),
        end(0, "FAILED", "Traceback " + "z" * 20_000 + " ValueError: the end"),
    )
    run = write(bench, events)[Key(trial=0)]
    assert run["metrics"]["acc_5 ___"][0][1] == 0.5
    assert max(map(len, run["params"])) == 250
    assert len(run["params"]["data.long"]) == 6000
    assert len(run["tags"]["isoflop.reason"]) == 8000
    assert run["tags"]["isoflop.reason"].endswith("ValueError: the end")


def test_what_the_opened_test_set_gave_is_recorded(bench):
    opened = Event(kind=Kind.OPENED, trial=0, payload={"data_digest": "dd", "metrics": {"test_accuracy": 0.97}})
    run = write(bench, number(OPENING, start(0), end(0, "COMPLETE"), opened))[Key(trial=0)]
    assert run["metrics"]["test_accuracy"][0][1] == 0.97
    assert (run["tags"]["isoflop.opened"], run["status"]) == ("dd", "FINISHED")


def test_any_text_can_be_written(bench):
    texts = ["", " ", "nul \0 and half of a pair \ud800", "é 漢 🙂 'quoted' \"twice\" \\ %s"]
    starts = [start(place, **{"data.note": text}) for place, text in enumerate(texts)]
    ends = [end(place, "FAILED", text) for place, text in enumerate(texts)]
    runs = write(bench, number(OPENING, *starts, *ends))
    for place, text in enumerate(texts):
        run = runs[Key(trial=place)]
        assert (run["params"]["data.note"], run["tags"]["isoflop.reason"]) == (clip(text, 99), clip(text, 99))


def test_any_name_of_a_metric_is_made_legal(bench):
    names = ["", ".", "..", "/top", "a//b", "a/../b", "./a", "a/", "../a", "a\nb", "a" * 300, "a.b/c d:e-f_g"]
    made = Record(
        report=1,
        step=1,
        epoch=1,
        images=1,
        flops=1,
        fidelity=1,
        metrics={name: place for place, name in enumerate(names)},
    )
    told = Event(kind=Kind.RECORD, trial=0, index=1, payload=made.to_dict())
    run = write(bench, number(OPENING, start(0), told))[Key(trial=0)]
    for place, name in enumerate(names):
        assert place in [value for _, value, _ in run["metrics"][legal(name)]]
