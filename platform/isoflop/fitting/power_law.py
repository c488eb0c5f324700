"""A power law with offset through the errors of several sizes, and the error that a next size will have.

    error(C) = a (C / reference)^-b + c        a > 0, 0 < b <= STEEPEST, c >= 0

C are FLOPs. The form and the loss are those of Hoffmann et al. 2022 (arXiv 2203.15556, section 3.3): Huber's loss of
log errors, minimized from several starts. Their threshold of 1e-3 lies far below the noise of a seed, which makes it a
sum of absolute errors, for hundreds of runs of one seed each; here it is 1.345 standard deviations of a seed, at
which Huber's estimator (1964, Annals of Mathematical Statistics 35) keeps 95 % of the efficiency of least squares.

Bands are profiles: a value belongs to the band where some law within reach of the data's sum of squares has it. For a
mean of n new trainings y at C, and a law of every b and c that are possible, the sum of squares with y as a further
observation may exceed the smallest one by no more than t^2 v (Bjornstad 1990, Predictive likelihood, Statistical
Science 5). In a linear model that is Student's prediction interval exactly; here it also knows that c >= 0, and holds
where c and b cannot be told apart, which is where intervals from a covariance fail.

v is the variance of a training about the law: seeds' variance pooled over sizes, and the law's own misfit. Shapes do
not lie on a line, so sizes may differ by more than their seeds tell. Misfit is pooled with the seeds' variance unless
an F test tells the two apart at a level of 25 % (Bancroft 1964, Biometrics 20); then misfit alone, with its few
degrees of freedom, sets the band.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize

from isoflop.fitting.band import Band, Floats
from isoflop.fitting.laws import FLATTEST, STEEPEST, STEPS, Laws, Weighted, ridge_of, within
from isoflop.fitting.noise import Noise, noise_of
from isoflop.fitting.sizes import Sizes, take_sizes

LEAST_SIZES = 7
HUBER = 1.345
MOST_STARTS = 8
LEAST_NOISE = 1e-4
"""Standard deviation of log errors that a seed is taken to have at least."""
EDGE = 0.99
"""Share of the steepest exponent from which on an interval is taken to have no upper end of its own."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PowerLaw:
    """A fitted law: its parameters with their intervals, and what it predicts."""

    a: Band
    """What compute can still take away at `reference`."""
    b: Band
    c: Band
    """What no compute takes away."""
    reference: float
    """FLOPs in the middle of the data, on a logarithmic scale."""
    level: float
    falls: bool
    """Whether a constant error is out of the question at this level."""
    noise: Noise
    """Of log errors, which is to say relative."""
    laws: Laws = field(repr=False)
    """Those within reach of the data, the best one first."""
    heights: Floats = field(repr=False)
    """Log error of each in the middle."""
    room: Floats = field(repr=False)
    """By how much the sum of squares of each may still grow."""
    weight: float = field(repr=False)
    """Trainings that the height of a law rests on."""

    def predict(self, x: float, seeds: int | None = None) -> Band:
        """The mean error at x FLOPs, or with `seeds` the mean of so many new trainings there."""
        centres = self.heights + self.laws.shape(np.array([math.log(x / self.reference)]))[:, 0]
        new = self.noise.of_mean(seeds) / self.noise.variance if seeds and self.noise.variance else 0.0
        half = np.sqrt(self.room * (new + 1 / self.weight))
        return Band(
            value=math.exp(centres[0]),
            low=math.exp(float((centres - half).min())),
            high=math.exp(float((centres + half).max())),
        )

    @property
    def undetermined(self) -> tuple[str, ...]:
        """What the data do not tell, one line each."""
        found = []
        if not self.falls:
            found.append("the error may not fall at all")
        if self.b.high >= EDGE * STEEPEST:
            found.append(f"b has no upper end below {STEEPEST:g}, the steepest considered")
        if self.c.low <= 0:
            found.append(f"c may be 0: no more is known than c <= {self.c.high:.3g}")
        return tuple(found)


def fit_power_law(
    flops: Sequence[float], errors: Sequence[Sequence[float]], *, level: float = 0.95, floor: float = 0.0
) -> PowerLaw:
    """The law of errors at several sizes, with one error a seed for each.

    Errors that are not finite are left out. `floor` is the error that those below it count as: half an image's share
    where an accuracy may be 1, for 0 has no logarithm. Raises `SpecError` where fewer than 7 sizes are left, too few
    seeds, or an error of 0 without a floor.
    """
    sizes = take_sizes(flops, errors, least=LEAST_SIZES, freedom=LEAST_SIZES, floor=floor).log()
    reference = math.sqrt(float(sizes.x[0] * sizes.x[-1]))
    x = np.log(sizes.x / reference)
    height, law = _best(x, sizes)
    weights = _weights(sizes, height + law.shape(x)[0])
    data = Weighted.of(x, sizes, weights)
    best = float(data.squares(law)[0])
    # the law has a parameter less where its offset is at its bound
    noise = noise_of(sizes, misfit=best, freedom=len(x) - (3 if law.steepness[0] > 0 else 2))
    reach = noise.reach(level)
    laws, room = within(data, law, best + reach)
    heights = data.heights(laws)
    half = np.sqrt(room / data.weight)
    flat = float(data.squares(Laws(slope=np.array([FLATTEST]), steepness=np.zeros(1)))[0])
    return PowerLaw(
        a=_band((1 - laws.share) * np.exp(heights), half),
        b=_band(laws.b, np.zeros_like(half)),
        c=_band(laws.share * np.exp(heights), half),
        reference=reference,
        level=level,
        falls=flat > best + reach,
        noise=noise,
        laws=laws,
        heights=heights,
        room=room,
        weight=data.weight,
    )


def _best(x: Floats, sizes: Sizes) -> tuple[float, Laws]:
    """Height and law with the least Huber loss, from every steepness at which least squares have a minimum."""
    plain = Weighted.of(x, sizes, [np.ones(len(row)) for row in sizes.values])
    laws = ridge_of(plain, np.linspace(0, 1, STEPS))
    squares, heights = plain.squares(laws), plain.heights(laws)
    around = np.pad(squares, 1, constant_values=math.inf)
    starts = np.flatnonzero((squares <= around[:-2]) & (squares <= around[2:]))[:MOST_STARTS]
    place = np.repeat(np.arange(len(x)), [len(row) for row in sizes.values])
    values = np.concatenate(sizes.values)

    def left(at: Floats) -> Floats:
        return np.asarray((at[0] + _law(at).shape(x)[0])[place] - values)

    found = [
        optimize.least_squares(
            left,
            np.clip([heights[n], math.log(laws.slope[n]), laws.steepness[n]], LOW + 1e-9, HIGH - 1e-9),
            bounds=(LOW, HIGH),
            loss="huber",
            f_scale=_bend(sizes),
            x_scale=(0.01, 0.1, 0.1),
            xtol=1e-10,
            ftol=1e-10,
        )
        for n in starts
    ]
    best = min(found, key=lambda one: float(one.cost))
    return float(best.x[0]), _law(best.x)


LOW = np.array([-np.inf, math.log(FLATTEST), 0.0])
HIGH = np.array([np.inf, math.log(STEEPEST), 1.0])


def _law(at: Floats) -> Laws:
    """The law of a height, log slope and steepness; one as good as at no offset has none."""
    steepness = at[2] if at[2] > 1e-6 else 0.0
    return Laws(slope=np.exp(at[1:2]), steepness=np.array([steepness]))


def _bend(sizes: Sizes) -> float:
    """Distance from the law beyond which a training counts less."""
    return HUBER * max(sizes.scale, LEAST_NOISE)


def _weights(sizes: Sizes, fitted: Floats) -> list[Floats]:
    """Huber's weight of each training."""
    bend = _bend(sizes)
    return [bend / np.maximum(np.abs(row - at), bend) for row, at in zip(sizes.values, fitted, strict=True)]


def _band(centres: Floats, half: Floats) -> Band:
    """The first of several values, and the range that all reach with relative half widths."""
    low, high = centres * np.exp(-half), centres * np.exp(half)
    return Band(value=float(centres[0]), low=float(low.min()), high=float(high.max()))
