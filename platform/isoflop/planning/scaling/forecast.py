"""What a size will come to, said before it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isoflop.errors import SpecError
from isoflop.fitting.band import Band
from isoflop.fitting.constant_gain import fit_constant_gain
from isoflop.fitting.power_law import fit_power_law
from isoflop.planning.scaling.results import Results
from isoflop.planning.scaling.row import Row


def forecast(smaller: Sequence[Row], results: Results, row: Row) -> Mapping[str, float]:
    """The mean error of a row's seeds by the power law of smaller sizes, and by the baseline of a constant gain.

    `low` and `high` bound it at 95 %. Empty where too few of the smaller sizes were trained to their end.
    """
    known = [one for one in smaller if one.placement is not None and results.errors(one)]
    if row.placement is None:
        return {}
    flops = [one.placement.extent.flops for one in known if one.placement is not None]
    errors = [results.errors(one) for one in known]
    try:
        law = fit_power_law(flops, errors, floor=results.floor)
        baseline = fit_constant_gain(flops, errors)
    except SpecError:
        return {}
    at, seeds = row.placement.extent.flops, len(row.seeds)
    return _named("", law.predict(at, seeds)) | _named("baseline_", baseline.predict(at, seeds))


def _named(prefix: str, band: Band) -> dict[str, float]:
    return {f"{prefix}{name}": getattr(band, name) for name in ("value", "low", "high")}
