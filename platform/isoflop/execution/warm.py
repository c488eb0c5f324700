"""Tune's controller, changed so that workers that have imported torch stay.

Tune reuses an actor for the next trial, but it gives up workers in two cases that cost a start of several seconds each:

- A trial whose own actor is starting up takes an actor that has just become free, and the one that starts is ended. As
  long as trainings are shorter than a start, one worker does everything while others start in vain.
- Of several actors that are free while nothing is pending, it keeps one. A plan that waits frees them all.

Both are decided in private parts of Tune, which has no setting for them. They are small, and the executors' contract
suite fails where a new version of Ray has others.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import ray.air._internal.usage
import ray.tune.tune
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.utils.object_cache import _ObjectCache


class Shelf(_ObjectCache):
    """Free actors: all are kept while nobody wants one of other resources."""

    def cache_object(self, key: Any, obj: Any) -> bool:
        """Keep a free actor, where it may be."""
        if not self._alike(key):
            return bool(super().cache_object(key, obj))
        self._cached_objects[key].append(obj)
        self._num_cached_objects += 1
        return True

    def flush_cached_objects(self, force_all: bool = False) -> Generator[Any, None, None]:  # noqa: FBT001, FBT002 - as it is there
        """Give up what is in the way."""
        kept = [key for key, actors in self._cached_objects.items() if actors]
        if not force_all and len(kept) == 1 and self._alike(kept[0]):
            return
        yield from super().flush_cached_objects(force_all=force_all)

    def _alike(self, key: Any) -> bool:
        """Whether all that are free or wanted have these resources."""
        wanted = {other for other, count in self._max_num_objects.items() if count > 0}
        free = {other for other, actors in self._cached_objects.items() if actors}
        return wanted | free <= {key}


class WarmController(TuneController):
    """Tune's controller with both mended."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._actor_cache = Shelf()

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        """Take a free actor, unless the trial's own one is starting up."""
        own = self._trial_to_actor.get(trial)
        if own is not None and own not in self._started_actors and self._actor_manager.is_actor_started(own):
            return False
        return bool(super()._maybe_reuse_cached_actor(trial))


@contextmanager
def warm() -> Iterator[None]:
    """While the context lasts, Tune runs with `WarmController`.

    And it does not count its callbacks: for its telemetry, which is off, it would import MLflow and others, 2 seconds.
    """
    with (
        patch.object(ray.tune.tune, "TuneController", WarmController),
        patch.object(ray.air._internal.usage, "tag_callbacks"),  # noqa: SLF001 - it has no setting
    ):
        yield
