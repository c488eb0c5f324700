"""A scaling study in words and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from isoflop import table
from isoflop.compound.comparison import Compared, compared
from isoflop.compound.findings import Family, Findings, Trained, span
from isoflop.fitting.band import Band
from isoflop.fitting.crossing import Crossings
from isoflop.fitting.response import Response
from isoflop.planning.scaling.ascent import Ascent
from isoflop.planning.scaling.row import Stage
from isoflop.scaling.extent import DIMENSIONS

AXES = {"flops": "equal FLOPs", "latency": "equal measured latency", "share": "equal share of the training images"}


def markdown(found: Findings) -> str:
    """The report of a study."""
    scale, fidelity = found.plan.scale, found.plan.spec.fidelity
    about = (
        f"Study `{found.study}`, data {found.plan.spec.data} ({found.plan.digest[:12]}). Error is of {found.metric}. "
        f"Every training is {fidelity.horizon:g} {fidelity.axis} long; shapes were trained on {scale.fit_seeds} seeds, "
        f"sizes, controls and shares on {scale.seeds}. Intervals are at 95 %."
    )
    lines = [f"# How {', '.join(family.name for family in found.families)} scale", "", about]
    for family in found.families:
        lines += ["", f"## {family.name}", "", *_family(family)]
    for axis in ("flops", "latency"):
        if rows := compared(found, axis):
            lines += ["", f"## At {AXES[axis]}", "", table.markdown([_compared(row) for row in rows])]
    crossed = [*(_crossing(key, one) for key, one in found.crossings.items()), *_apart(found)]
    if crossed:
        lines += ["", "## Crossings", "", *crossed]
    return "\n".join(lines) + "\n"


def _family(family: Family) -> Iterator[str]:
    ground = family.course.ground
    exponents = ", ".join(
        f"{name} {value:.2f}" for name in DIMENSIONS if (value := ground.exponents.of(name)) is not None
    )
    yield f"The base has {ground.extent.flops:,.0f} FLOPs an image; local exponents of FLOPs, counted: {exponents}."
    for name, why in family.course.design.fixed.items():
        yield f"Not varied: {name}, {why}."
    yield from _fit(family)
    if family.climb:
        yield ""
        yield table.markdown([_size(one) for one in family.climb])
        yield ""
        yield f"Law: {family.law}." if isinstance(family.law, str) else _law(family)
    if controls := family.trained(Stage.CONTROL):
        yield ""
        yield table.markdown([_control(one, family.climb) for one in controls])
    if shares := family.trained(Stage.SHARE):
        yield ""
        yield table.markdown(
            [{"share of the data": f"{one.row.place:g}", "error": f"{one.error:.4f}"} for one in shares]
        )


def _fit(family: Family) -> Iterator[str]:
    fit = family.ascent
    if isinstance(fit, Ascent):
        yield ""
        yield from _response(fit.response)
        line = fit.climb.line
        told = "" if fit.response.determined else f"; {_presumed(family)}"
        growth = f"alpha {line.alpha:.3f}, beta {line.beta:.3f}, gamma {line.gamma:.3f}"
        yield f"Climbed along {growth} a doubling of FLOPs{told}."
        yield from _downhill(fit)
    elif fit is not None:
        yield f"Not fitted: {fit}."


def _downhill(fit: Ascent) -> Iterator[str]:
    """Where the line starts for a slope's sake."""
    if fit.response.downhill is not None:
        start = ", ".join(f"{name} {math.exp(fit.climb.line.start.of(name)):.2f}" for name in DIMENSIONS)
        yield ""
        yield (
            f"The error falls {fit.response.downhill} at equal FLOPs, and the shapes do not tell how far. The line"
            f" starts down that slope, no further than they reach: at {start} of the base's."
        )


def _presumed(family: Family) -> str:
    return f"what the data do not tell is an equal share of FLOPs for {' and '.join(family.course.presumed)}"


def _response(response: Response) -> Iterator[str]:
    """What the shapes told of growth and optimum."""
    for name, dimension, estimate in zip(("alpha", "beta", "gamma"), DIMENSIONS, response.growth, strict=True):
        yield f"- {name}, what {dimension} grows by as FLOPs double: {estimate}"
    for name, estimate in zip(DIMENSIONS, response.optimum, strict=True):
        yield f"- best {name} at the base's FLOPs, over the base's: {estimate}"
    if response.lack is not None:
        yield f"- lack of fit: p = {response.lack:.3f}"
    yield ""


def _law(family: Family) -> str:
    law = family.law
    assert not isinstance(law, str), "the caller has looked"
    told = f" Not told by the data: {'; '.join(law.undetermined)}." if law.undetermined else ""
    bands = f"a {_band(law.a)}, b {_band(law.b)}, c {_band(law.c)}"
    return f"Law: error = a (FLOPs / {law.reference:.3g})^-b + c; {bands}.{told}"


def _size(one: Trained) -> dict[str, str]:
    forecast = one.row.forecast
    return {
        "phi": f"{one.row.place:g}",
        **_shape(one),
        "error": _errors(one.errors),
        "predicted": f"{forecast['value']:.4f} [{forecast['low']:.4f}, {forecast['high']:.4f}]" if forecast else "-",
        "missed by": "-" if one.missed is None else f"{one.missed:+.4f}",
        "in the band": {True: "yes", False: "no", None: "-"}[one.inside],
        "constant gain": f"{forecast['baseline_value']:.4f}" if forecast else "-",
        "latency ms": "-" if one.latency is None else f"{one.latency:.2f}",
    }


def _control(one: Trained, climb: Sequence[Trained]) -> dict[str, str]:
    same = next((size for size in climb if size.row.place == one.row.place), None)
    return {
        "phi": f"{one.row.place:g}",
        "grown": one.row.name,
        **_shape(one),
        "error": _errors(one.errors),
        "over the climb's": "-" if same is None else f"{one.error - same.error:+.4f}",
    }


def _shape(one: Trained) -> dict[str, str]:
    logs, extent = one.placement.found, one.placement.extent
    shape = ", ".join(f"{math.exp(value):.2f}" for value in logs)
    return {
        "depth, width, resolution over the base's": shape,
        "FLOPs": f"{extent.flops:,.0f}",
        "off target": f"{one.placement.residual:+.1%}",
        "parameters": f"{one.parameters:,}",
    }


def _errors(errors: Sequence[float]) -> str:
    return f"{sum(errors) / len(errors):.4f} ({', '.join(f'{error:.4f}' for error in errors)})"


def _compared(row: Compared) -> dict[str, str]:
    """Expected errors, the least named where the next one's band does not reach it."""
    cells = {name: f"{band.value:.4f} [{band.low:.4f}, {band.high:.4f}]" for name, band in row.errors.items()}
    return {AXES[row.axis].removeprefix("equal "): f"{row.place:.3g}", **cells, "best": row.best or "not told apart"}


def _band(band: Band) -> str:
    return f"{band.value:.4g} [{band.low:.3g}, {band.high:.3g}]"


def _crossing(key: tuple[str, str, str], found: Crossings) -> str:
    first, second, axis = key
    names = {-1: first, 1: second, 0: "neither for sure"}
    where = f"At {AXES[axis]}, from {found.low:.3g} to {found.high:.3g}"
    if found.none:
        return f"- {where}, {names[found.before]} is better all the way ({first} against {second})."
    ranges = "; ".join(f"{_range(one.x)}{'' if one.proven else ' (not proven)'}" for one in found.ranges)
    ends = f"better below: {names[found.before]}, above: {names[found.after]}"
    return f"- {where}, {first} and {second} may be equal {ranges}; {ends}."


def _apart(found: Findings) -> Iterator[str]:
    """Pairs of families that were trained over the same axis, but nowhere both."""
    for first, second in combinations(found.families, 2):
        for axis, equal in AXES.items():
            (low, high), (other_low, other_high) = span(first, axis), span(second, axis)
            if math.isfinite(low) and math.isfinite(other_low) and (high < other_low or other_high < low):
                reach = f"{low:.3g} to {high:.3g} against {other_low:.3g} to {other_high:.3g}"
                yield f"- At {equal}, {first.name} and {second.name} cannot be compared: {reach}."


def _range(x: Band) -> str:
    if x.bounded:
        return f"between {x.low:.3g} and {x.high:.3g}"
    if math.isfinite(x.high):
        return f"up to {x.high:.3g}"
    return f"from {x.low:.3g} on" if math.isfinite(x.low) else "all the way"
