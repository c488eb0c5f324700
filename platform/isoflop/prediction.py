"""Use a finalist: its model by the name of its run, or out of a folder."""

from __future__ import annotations

from pathlib import Path

from isoflop.home import Home
from isoflop.inference import Model
from isoflop.journal.sqlite import SqliteJournal
from isoflop.outcome import key_of, known
from isoflop.portable.folder import unpack
from isoflop.tracking.store import Store
from isoflop.trained import load_net


def load_model(run: str | Path, *, home: Path | None = None) -> Model:
    """The model of a leaderboard row, `STUDY/NUMBER` or `STUDY/NUMBER.REPLICATE`; of several seeds, the first.

    A `Path` is the folder of a model that was logged to MLflow. Raises `UnknownError` where there is no such run or it
    left no weights, and `DataError` where a folder is torn.
    """
    if isinstance(run, Path):
        return unpack(run)
    place = Home(home.absolute()) if home else Home.find()
    study, key = key_of(run)
    known(study, Store(SqliteJournal.open_readonly(place.journal), place.path))
    net, facts = load_net(place.artifacts(study, key))
    return Model(net, facts)
