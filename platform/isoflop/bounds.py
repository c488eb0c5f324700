"""Reads a range of a space: `{float: [low, high], log: true}` or `{int: [low, high], step: 2}`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from isoflop.errors import Fault, SpecError
from isoflop.families import Scalar
from isoflop.setting import kind, listed, take
from isoflop.space import Float, Int

EXAMPLES = {"float": "{float: [0.001, 0.1], log: true}", "int": "{int: [1, 8]}"}


def read_range(form: str, key: str, written: Mapping[str, object], names: Sequence[str]) -> Float | Int:
    """The range of a key that these families take; `form` is `float` or `int`.

    Raises `SpecError` with faults whose place is below the key.
    """
    _check_form(form, key, names)
    low, high = _ends(form, key, written[form], names)
    if low >= high:
        raise _wrong(form, f"[{low:g}, {high:g}] is an empty range", "give low below high, or one value instead")
    if form == "int" and not (low.is_integer() and high.is_integer()):
        raise _wrong(form, f"[{low:g}, {high:g}] are not whole numbers", "use float:, or whole bounds")
    log = _log(written, low)
    step = _step(form, written["step"], low, high) if "step" in written else None
    if form == "int":
        return Int(key=key, low=int(low), high=int(high), log=log, step=int(step or 1))
    return Float(key=key, low=low, high=high, log=log, step=step)


def _check_form(form: str, key: str, names: Sequence[str]) -> None:
    takes = kind(key, names)
    if takes == "listed":
        legal = ", ".join(map(str, listed(key, names) or ("a", "b")))
        raise _wrong(form, "this setting has no range", f"write {{choice: [{legal}]}}")
    if takes == "integer" and form == "float":
        raise _wrong(form, "this setting takes whole numbers", f"write {EXAMPLES['int']}")


def _ends(form: str, key: str, bounds: object, names: Sequence[str]) -> tuple[float, float]:
    if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
        raise _wrong(form, f"{bounds!r} is not [low, high]", f"write {EXAMPLES[form]}")
    found: list[Scalar] = []
    faults: list[Fault] = []
    for bound in bounds:
        try:
            found.append(take(key, bound, names))
        except SpecError as error:
            faults.extend(Fault(form, fault.what, fault.remedy) for fault in error.faults)
    if faults:
        raise SpecError(*faults)
    numbers = [float(end) for end in found if isinstance(end, (int, float))]
    if len(numbers) != 2:
        raise _wrong(form, f"{list(bounds)} are not two numbers", f"write {EXAMPLES[form]}")
    return numbers[0], numbers[1]


def _log(written: Mapping[str, object], low: float) -> bool:
    log = written.get("log", False)
    if not isinstance(log, bool):
        raise _wrong("log", f"{log!r} is neither true nor false", "write log: true")
    if log and low <= 0:
        raise _wrong("log", f"{low:g} has no logarithm", "give a low above 0, or leave log out")
    if log and "step" in written:
        raise _wrong("step", "does not go with log", "remove one of them")
    return log


def _step(form: str, written: object, low: float, high: float) -> float:
    step = _number(written)
    if step is None or not 0 < step <= high - low:
        raise _wrong("step", f"{written!r} is no step within [{low:g}, {high:g}]", "give one that fits")
    if form == "int" and not step.is_integer():
        raise _wrong("step", f"{written!r} is not a whole number", "give a whole step")
    last = low + math.floor((high - low) / step + 1e-9) * step
    if not math.isclose(last, high, abs_tol=1e-9 * step):
        raise _wrong("step", f"steps of {step:g} from {low:g} miss {high:g}", f"end at {last:g}")
    return step


def _number(written: object) -> float | None:
    """A written number, `1e-1` included, which YAML reads as text; none where it is no finite one."""
    try:
        found = float(written) if isinstance(written, (int, float, str)) and not isinstance(written, bool) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _wrong(place: str, what: str, remedy: str) -> SpecError:
    return SpecError(Fault(place, what, remedy))
