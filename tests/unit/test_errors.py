"""Faults are one line each and travel between processes whole."""

from __future__ import annotations

import pickle

import pytest

from isoflop.errors import (
    DataError,
    DivergedError,
    Fault,
    InputError,
    IsoflopError,
    LeaseError,
    SpecError,
    StateError,
    TrialError,
    UnknownError,
    did_you_mean,
)


def test_the_tree_is_as_drawn():
    assert {kind.__base__ for kind in (SpecError, DataError, UnknownError)} == {InputError}
    assert {kind.__base__ for kind in (StateError, TrialError)} == {IsoflopError}
    assert issubclass(InputError, IsoflopError)
    assert issubclass(InputError, ValueError)
    assert (LeaseError.__base__, DivergedError.__base__) == (StateError, TrialError)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (Fault("optim.lr", "is missing", "give it a value"), "optim.lr: is missing; give it a value"),
        (Fault("optim.lr", "is missing"), "optim.lr: is missing"),
        (Fault("", "is missing", "give it a value"), "is missing; give it a value"),
    ],
)
def test_a_fault_is_one_line(fault: Fault, line: str):
    assert str(fault) == line


def test_every_fault_is_a_line_of_its_error():
    error = SpecError(Fault("a", "is wrong", "mend it"), "b is wrong too")
    assert str(error).splitlines() == ["a: is wrong; mend it", "b is wrong too"]
    assert error.faults[1] == Fault("", "b is wrong too")


@pytest.mark.parametrize("kind", [InputError, SpecError, DataError, UnknownError])
def test_an_input_error_is_pickled_whole(kind: type[InputError]):
    error = pickle.loads(pickle.dumps(kind(Fault("a", "b", "c"), Fault("d", "e"))))
    assert type(error) is kind
    assert error.faults == (Fault("a", "b", "c"), Fault("d", "e"))


def test_a_divergence_is_pickled_with_its_step():
    error = pickle.loads(pickle.dumps(DivergedError(7, "train_loss")))
    assert (error.step, error.what) == (7, "train_loss")
    assert str(error) == "diverged: train_loss is not finite at step 7"


def test_the_nearest_word_is_named_and_else_all_of_them():
    assert did_you_mean("optim.rl", ["optim.lr", "optim.name"]) == "did you mean 'optim.lr'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"


def test_many_keys_are_told_by_their_first_words():
    known = [f"{section}.{name}" for section in ("optim", "train") for name in range(30)]
    assert did_you_mean("cases", [*known, "space"]) == "known: optim.*, space, train.*"
    assert did_you_mean("optim.29x", known) == "did you mean 'optim.29'?"
