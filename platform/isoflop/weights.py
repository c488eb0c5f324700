"""Weights in the state folder that trainings begin with or learn from: files that are named by what they hold.

A file's name is `FAMILY-VARIANT-HASH.safetensors`, the last the first digits of its SHA-256, as in torchvision's file
names. So a configuration that names weights names their content, on every machine. Those that one of our own trainings
left have in the variant's place how they came about: `run`, or the method that trained them without labels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open

from isoflop.config import TEACHER, WEIGHTS, ModelConfig
from isoflop.errors import DataError, Fault, UnknownError
from isoflop.families import family

DIGITS = 8
"""Hexadecimal digits of the hash in a name."""
HEADER = "isoflop"
"""The one key of a file's header: safetensors writes several in any order, which would change the hash."""


PUBLIC_COLUMNS = ("family", "variant", "channels", "classes", "pixels", "source")
OWN_COLUMNS = ("method", "data", "spent")
COLUMNS = (*PUBLIC_COLUMNS, *OWN_COLUMNS)
"""What is listed of a file."""
SPLITTING = ("seed", "val", "test")
"""What of a request decides which images of a source train, validate and test."""
FREE = frozenset({"resolution", "dropout", "drop_path", "weights", "auxiliary"})
"""Settings of a model that weights of ours leave free."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The training of ours that left weights."""

    method: str
    """`run`, or how it learned without labels."""
    config: Mapping[str, Any]
    """Its whole configuration, as nested JSON values."""
    seed: int
    data: str
    """Digest of the prepared set."""
    spent: float
    """Training FLOPs, without those of weights that it began with itself."""
    forward: float
    """FLOPs of one image's forward pass."""
    image: tuple[int, int, int]
    """Channels, height and width as stored."""
    labels: tuple[str, ...]
    """Names of the classes in the order of the logits, empty where it had no labels."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    request: Mapping[str, Any] = field(default_factory=dict)
    """From what and how the set was prepared; empty in older files."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Of JSON values."""
        lists = {name: tuple(values[name]) for name in ("image", "labels", "mean", "std")}
        return cls(**{**values, **lists})

    @property
    def model(self) -> ModelConfig:
        """The net that was trained."""
        return ModelConfig.model_validate({**self.config["model"], "weights": ""})


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What stands in a file's header."""

    family: str
    variant: str
    channels: int
    """Of the images that the weights were trained on."""
    classes: int
    pixels: int
    """Of a side."""
    source: str
    """Where they came from."""
    origin: Origin | None = None
    """The training of ours that left them, none for published ones."""

    def header(self) -> dict[str, str]:
        """As the header of a safetensors file."""
        values = asdict(self)
        if self.origin is None:
            del values["origin"]
        return {HEADER: json.dumps(values, sort_keys=True)}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a file. Raises `UnknownError` where there is none, `DataError` where it has no such header."""
        _there(path, path.stem)
        try:
            with safe_open(path, framework="numpy") as file:
                header: Mapping[str, str] = file.metadata() or {}
            values = json.loads(header[HEADER])
            origin = Origin.read(values["origin"]) if "origin" in values else None
            return cls(**{**values, "origin": origin})
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise DataError(Fault(str(path), "is torn or holds no weights that were added", "remove it")) from None

    def name(self, path: Path) -> str:
        """What the weights in a file are called, by its content."""
        return f"{self.family}-{self.origin.method if self.origin else self.variant}-{digest(path)[:DIGITS]}"


def digest(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, name: str) -> None:
    """Raise `UnknownError` where no file stands, and `DataError` where it does not hold what the name says."""
    again = "remove it and add it again: isoflop weights add"
    _there(path, name)
    found = digest(path)[:DIGITS]
    if found != name.rpartition("-")[2]:
        raise DataError(
            Fault(str(path), f"is torn or was changed: it has hash {found}, weights {name!r} do not", again)
        )


def _there(path: Path, name: str) -> None:
    if not path.is_file():
        raise UnknownError(Fault(str(path), f"there are no weights {name!r} here", "run: isoflop weights add"))


def forward_flops(path: Path) -> float:
    """FLOPs of one image's forward pass of the net that weights in a file are of, 0 for published ones.

    Raises `UnknownError` where there is no such file.
    """
    origin = About.read(path).origin
    return origin.forward if origin else 0.0


def listed(folder: Path) -> list[dict[str, Any]]:
    """What stands in a folder: name, size in bytes, and what each file says of itself.

    `method`, `data` and `spent`, the digest and the training FLOPs, are those of trainings of ours alone.
    """
    return [
        {"name": path.stem, "size": path.stat().st_size, **_said(path)} for path in sorted(folder.glob("*.safetensors"))
    ]


def misfit(about: About, model: ModelConfig, name: str) -> Fault | None:
    """Why weights that one of our trainings left do not fit a net, none where they do or are published ones."""
    if about.origin is None:
        return None
    theirs, ours = _fixed(about.origin.model), _fixed(model)
    wrong = [key for key in ours | theirs if ours.get(key) != theirs.get(key)]
    if not wrong:
        return None
    here = ", ".join(f"model.{key} is {ours.get(key)}" for key in wrong)
    other = ", ".join(f"model.{key}: {theirs.get(key)}" for key in wrong)
    what = f"{name} fit a net of the same settings alone, and {here}"
    return Fault(WEIGHTS, what, f"set {other}, or leave model.weights out")


def unsuited(about: About, name: str, *, classes: Sequence[str], channels: int) -> Fault | None:
    """Why a net cannot teach on images of these classes and channels, none where it can."""
    remedy = "give weights of a run on the same classes: isoflop weights add STUDY/NUMBER"
    origin = about.origin
    if origin is None or not origin.labels:
        return Fault(TEACHER, f"{name} were not trained on the labels of any data set here", remedy)
    if origin.image[0] != channels:
        return Fault(TEACHER, f"{name} see images of {origin.image[0]} channels, the data have {channels}", remedy)
    if set(origin.labels) != set(classes):
        odd = sorted(set(origin.labels) ^ set(classes))
        what = f"{name} tell {len(origin.labels)} classes apart, the data {len(classes)}: {odd[0]!r} is not in both"
        return Fault(TEACHER, what, remedy)
    return None


def leak(about: About, name: str, key: str, *, digest: str, request: Mapping[str, Any], folded: bool) -> Fault | None:
    """Why weights may know images that validate or test here, none where they do not or nothing tells.

    `digest` and `request` are of the prepared set, `folded` says whether its training images validate in turn. Weights
    of older files say nothing of how their set was prepared.
    """
    origin = about.origin
    if origin is None:
        return None
    same = origin.data == digest or (bool(origin.request) and origin.request["source"] == request["source"])
    if same and folded:
        what = f"{name} learned on images of this set, which validate in turn here"
        return Fault(key, what, "leave it out, or judge by the prepared validation split")
    if same and origin.data != digest and any(origin.request[one] != request[one] for one in SPLITTING):
        what = f"{name} learned on the same images in other splits: some of them validate or test here"
        return Fault(key, what, "train it again on this set, or prepare the set with its seed and shares")
    return None


def _fixed(model: ModelConfig) -> dict[str, Any]:
    """The settings that weights of ours do not leave free."""
    return {**model.model_dump(exclude=set(FREE)), "stem": model.stem or family(model.family).stem}


def _said(path: Path) -> dict[str, Any]:
    """What a file says of itself."""
    try:
        about = About.read(path)
    except DataError:
        return dict.fromkeys(COLUMNS) | {"source": "unreadable: remove it"}
    origin = about.origin
    own = {"method": "published"} if origin is None else {name: getattr(origin, name) for name in OWN_COLUMNS}
    return dict.fromkeys(COLUMNS) | {name: getattr(about, name) for name in PUBLIC_COLUMNS} | own
