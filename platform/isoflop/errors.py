"""What can go wrong, and whose turn it is.

    IsoflopError                 the base: catch this to catch all of ours
    ├── InputError (ValueError)  a user's mistake: one line with the remedy, exit code 2, nothing written
    │   ├── SpecError            a spec or a configuration
    │   ├── DataError            a data set that cannot be read, prepared or used as asked
    │   └── UnknownError         a study, run, family or data set that is not there
    ├── StateError               the state folder: not writable, a torn journal, no room
    │   └── LeaseError           another driver holds the study
    ├── StudyError               a study came to nothing: every trial failed; exit code 1
    ├── TrialError               a trial's training failed; the search goes on
    │   ├── DivergedError        its loss or a metric stopped being finite
    │   └── ExhaustedError       it needs more memory than there is
    └── LostError                a process of a training was lost; it goes on from its checkpoint

A bad trial is a result, a bad set-up is an exception: only the first three reach a person as an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class IsoflopError(Exception):
    """The base of every error that Isoflop raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake of a user: where it stands (file, key, value), what is wrong, and the remedy."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """The fault as one line."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.remedy}" if self.remedy else line


class InputError(IsoflopError, ValueError):
    """A user's mistake: every fault that was found, each one line."""

    def __init__(self, *faults: Fault | str) -> None:
        self.faults: tuple[Fault, ...] = tuple(f if isinstance(f, Fault) else Fault("", f) for f in faults)
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type[InputError], tuple[Fault, ...]]:
        """Travel between processes with the faults whole."""
        return type(self), self.faults


class SpecError(InputError):
    """A spec or a configuration that cannot be used."""


class DataError(InputError):
    """A data set that cannot be read, prepared or used as asked."""


class UnknownError(InputError):
    """A study, run, family or data set that is not there."""


class StateError(IsoflopError):
    """The state folder cannot be used: not writable, torn, or full."""


class LeaseError(StateError):
    """Another driver holds the study's lease."""


class StudyError(IsoflopError):
    """A study came to nothing: every trial failed."""


class TrialError(IsoflopError):
    """A trial's training failed."""


class DivergedError(TrialError):
    """A loss or a metric stopped being finite at a step."""

    def __init__(self, step: int, what: str) -> None:
        self.step, self.what = step, what
        super().__init__(f"diverged: {what} is not finite at step {step}")

    def __reduce__(self) -> tuple[type[DivergedError], tuple[int, str]]:
        """Travel between processes with both arguments."""
        return type(self), (self.step, self.what)


class ExhaustedError(TrialError):
    """A training needs more memory than its device has."""


class LostError(IsoflopError):
    """A process of a training was lost: killed, or its machine ended. Never the training's own fault."""


MANY = 40
"""Words that a line of text still lists one by one."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The remedy for an unknown word: the nearest known one, else the list of them.

    Of many dotted keys the list has the first words alone, such as `optim.*`.
    """
    words: Sequence[str] = sorted(known)
    near = get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    if len(words) > MANY:
        words = sorted({f"{first}.*" if rest else first for first, _, rest in (one.partition(".") for one in words)})
    return f"known: {', '.join(words)}"
