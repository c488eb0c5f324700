"""Compound scaling by counted nets: EfficientNet's own table, local FLOP exponents, and how near solved shapes come.

First EfficientNet-B0 to B7 as counted beside the paper's table 2 (Tan & Le 2019, arXiv 1905.11946), whose "FLOPs" are
multiply-adds, and beside what phi alone makes of B0 with the published alpha, beta and gamma: the published nets were
rounded by hand. The paper does not say at which phi each stands; here it is the one whose resolution is nearest. Then
d log FLOPs / d log size of families around small bases, and the residuals of shapes solved along an even line at phi 0
to 4 in half steps, and of controls at phi 4. Exit code 1 where a residual is above 5 %.

Time: 134 s of CPU, 81 s with --quick.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from benchmarks.report import table
from isoflop.config import ModelConfig
from isoflop.families import family
from isoflop.models import cost
from isoflop.models.efficientnet import VARIANTS
from isoflop.models.extent import counter
from isoflop.scaling import Shape
from isoflop.scaling.climb import Climb
from isoflop.scaling.design import STAIRS
from isoflop.scaling.ground import Ground
from isoflop.scaling.line import EFFICIENTNET, Line
from isoflop.scaling.placement import TOLERANCE

PAPER: Mapping[str, tuple[float, float]] = {
    "b0": (5.3e6, 0.39e9),
    "b1": (7.8e6, 0.70e9),
    "b2": (9.2e6, 1.0e9),
    "b3": (12e6, 1.8e9),
    "b4": (19e6, 4.2e9),
    "b5": (30e6, 9.9e9),
    "b6": (43e6, 19e9),
    "b7": (66e6, 37e9),
}
"""Parameters and multiply-adds of the paper's table 2."""
SIDE, CHANNELS, CLASSES = 28, 1, 10
"""Images of Fashion-MNIST."""
TOP = 4
"""Doublings of a climb."""
BASES: Mapping[str, Mapping[str, str | int | float]] = {
    "resnet": {"variant": "34", "depth": 0.34, "width": 0.0625, "divisor": 1},
    "efficientnet": {"stem": 1, "depth": 0.5, "width": 0.125, "divisor": 1},
    "vit": {"stem": 7, "depth": 1.0, "width": 0.1667},
    "mobilenet_v2": {"stem": 2, "depth": 0.5, "width": 0.25, "divisor": 1},
    "convnext": {"stem": 2, "depth": 0.34, "width": 0.125, "divisor": 1},
    "basic_cnn": {"width": 0.25, "divisor": 1},
}
"""Small bases; those of the first three are what a climb on Fashion-MNIST starts from."""
OTHERS: Mapping[str, Mapping[str, str | int | float]] = {
    "vgg": {"width": 0.125, "divisor": 1},
    "densenet": {"depth": 0.34, "width": 0.25, "divisor": 1},
    "shufflenet": {"stem": 2, "width": 0.25, "divisor": 1},
    "regnet": {"stem": 2, "width": 0.25, "divisor": 1},
    "swin": {"depth": 0.5, "width": 0.25},
    "pvt": {"depth": 1.0, "width": 0.5},
    "coatnet": {"stem": 2, "depth": 0.5, "width": 0.25},
}
"""More families whose exponents are counted."""
QUICK = ("resnet", "efficientnet", "vit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One of EfficientNet's nets, and what phi alone makes of B0."""

    net: str
    parameters: int
    paper_parameters: float
    macs: int
    paper_macs: float
    phi: float
    coefficients: tuple[float, float, int]
    """Published depth, width and resolution."""
    of_phi: tuple[float, float, int]
    """The same by phi."""
    phi_parameters: int
    phi_macs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Local:
    """FLOP exponents of a family around a base; none where a dimension cannot vary."""

    family: str
    flops: float
    depth: float | None
    width: float | None
    resolution: float | None
    spread: float
    """By how much log FLOPs stand off a power law of resolution: in small maps they rise in stairs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solved:
    """A net at wanted FLOPs."""

    family: str
    role: str
    """phi on the line, or which control at the top."""
    depth: float
    width: float
    resolution: float
    flops: float
    residual: float
    strayed: float
    """How far from its place on the line, as the length of its logarithms."""


def published() -> Iterator[Published]:
    """B0 to B7."""
    gamma = EFFICIENTNET[2]
    for name, (depth, width) in VARIANTS.items():
        pixels = family("efficientnet").pixels(name)
        phi = round(2 * math.log(pixels / 224) / math.log(gamma)) / 2
        net = cost(_efficientnet(variant=name), image=(3, pixels, pixels), classes=1000)
        grown = _efficientnet(variant="b0", phi=phi)
        shape = Shape.of(grown, 224)
        by_phi = cost(grown, image=(3, 224, 224), classes=1000)
        yield Published(
            net=name,
            parameters=net.parameters,
            paper_parameters=PAPER[name][0],
            macs=net.macs,
            paper_macs=PAPER[name][1],
            phi=phi,
            coefficients=(depth, width, pixels),
            of_phi=(shape.depth, shape.width, shape.resolution),
            phi_parameters=by_phi.parameters,
            phi_macs=by_phi.macs,
        )


def _efficientnet(**settings: str | float) -> ModelConfig:
    return ModelConfig.model_validate({"family": "efficientnet", "stem": 2, **settings})


def grounds(names: Sequence[str]) -> dict[str, Ground]:
    """The bases of families."""
    count = counter(image=(CHANNELS, SIDE, SIDE), classes=CLASSES)
    bases = {**BASES, **OTHERS}
    return {name: Ground.around(ModelConfig.model_validate({"family": name, **bases[name]}), count) for name in names}


def local(name: str, ground: Ground) -> Local:
    """A family's exponents."""
    found = ground.exponents
    return Local(
        family=name,
        flops=ground.extent.flops,
        depth=found.depth,
        width=found.width,
        resolution=found.resolution,
        spread=found.spread.resolution,
    )


def solved(name: str, ground: Ground) -> Iterator[Solved]:
    """A climb in half steps, then controls at its top; resolution is left where FLOPs rise with it in stairs."""
    known = ground.exponents
    line = Line.even(replace(known, resolution=None) if known.spread.resolution > STAIRS else known)
    climb = Climb(ground=ground, line=line)
    steps = {f"phi {step / 2:g}": climb.at(step / 2) for step in range(2 * TOP + 1)}
    for role, found in {**steps, **climb.controls(TOP)}.items():
        yield Solved(
            family=name,
            role=role,
            depth=found.extent.depth,
            width=found.extent.width,
            resolution=found.extent.resolution,
            flops=found.extent.flops,
            residual=found.residual,
            strayed=found.strayed,
        )


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ResNet, EfficientNet and ViT alone")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    around = grounds(QUICK if options.quick else [*BASES, *OTHERS])
    alpha, beta, gamma = EFFICIENTNET
    product, nets = alpha * beta**2 * gamma**2, [*published()]
    slopes = [local(name, ground) for name, ground in around.items()]
    shapes = [shape for name, ground in around.items() if name in BASES for shape in solved(name, ground)]
    if options.json:
        rows = {
            "published": [*map(asdict, nets)],
            "exponents": [*map(asdict, slopes)],
            "solved": [*map(asdict, shapes)],
        }
        print(json.dumps({"product": product, **rows}))
    else:
        print(f"alpha * beta^2 * gamma^2 = {product:.2f}\n")
        print(_published(nets), _exponents(slopes), _solved(shapes), _within(shapes), sep="\n\n")
    sys.exit(any(abs(shape.residual) > TOLERANCE for shape in shapes))


def _published(nets: Sequence[Published]) -> str:
    head = ("net", "params", "paper", "MACs", "paper", "d, w, r", "phi", "d, w, r by phi", "params", "MACs")
    rows = [
        (
            net.net,
            f"{net.parameters / 1e6:.1f} M",
            f"{net.paper_parameters / 1e6:g} M",
            f"{net.macs / 1e9:.2f} G",
            f"{net.paper_macs / 1e9:g} G",
            "{:.1f}, {:.1f}, {}".format(*net.coefficients),
            f"{net.phi:g}",
            "{:.2f}, {:.2f}, {}".format(*net.of_phi),
            f"{net.phi_parameters / 1e6:.1f} M",
            f"{net.phi_macs / 1e9:.2f} G",
        )
        for net in nets
    ]
    return table(head, rows)


def _exponents(slopes: Sequence[Local]) -> str:
    rows = [
        (
            slope.family,
            f"{slope.flops / 1e6:.2f} M",
            *("-" if size is None else f"{size:.2f}" for size in (slope.depth, slope.width, slope.resolution)),
            f"{slope.spread:.2f}",
        )
        for slope in slopes
    ]
    return table(("family", "FLOPs", "depth", "width", "resolution", "its spread"), rows)


def _solved(shapes: Sequence[Solved]) -> str:
    rows = [
        (
            f"{shape.family}, {shape.role}",
            f"{shape.depth:g}",
            f"{shape.width:.1f}",
            f"{shape.resolution:g}",
            f"{shape.flops / 1e6:.2f} M",
            f"{shape.residual:+.2%}",
            f"{shape.strayed:.2f}",
        )
        for shape in shapes
    ]
    return table(("net", "layers", "channels", "pixels", "FLOPs", "residual", "strayed"), rows)


def _within(shapes: Sequence[Solved]) -> str:
    rows = []
    for name in dict.fromkeys(shape.family for shape in shapes):
        own = [abs(shape.residual) for shape in shapes if shape.family == name]
        near = sum(residual <= TOLERANCE for residual in own)
        rows.append((name, f"{near} of {len(own)}", f"{max(own):.2%}"))
    return table(("family", "within 5 %", "largest residual"), rows)


if __name__ == "__main__":
    main()
