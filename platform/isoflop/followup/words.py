"""What studies of a run found, in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isoflop import table
from isoflop.tasks import VAL, metric_of

Tree = Mapping[str, Any]


def ablation_text(tree: Tree) -> str:
    """The report of an ablation."""
    measure, seeds = _measure(tree), len(tree["seeds"])
    paired = "by seed and image" if tree["images"] else "by seed alone"
    about = (
        f"As it is {tree['metric']} is {_shown(tree['as_is'], measure)} on {_seeds(seeds)} that nothing before it was "
        f"trained with, data {tree['data']['name']} ({tree['data']['digest']}), validation alone. Each choice was set "
        f"back to its default and trained on the same seeds. The gain is by how much the run is better for it, paired "
        f"{paired}{', in points' if _share(measure) else ''}; intervals are each at 95 %, p is for all choices "
        "together (Holm)."
    )
    lines = [f"# What each choice of {tree['run']} is worth", "", about]
    if tree["choices"]:
        lines += ["", table.markdown([_choice(row, tree, measure) for row in tree["choices"]])]
    lines += ["", *_verdicts(tree, measure)]
    if seeds == 1:
        lines.append("One seed was trained: nothing is known of others.")
    lines += [f"Not set back: {one['key']} {_value(one['value'])}, {one['why']}." for one in tree["untouched"]]
    return "\n".join(lines) + "\n"


def folds_text(tree: Tree) -> str:
    """The report of a cross-validation."""
    measure, done = _measure(tree), len(tree["values"])
    about = (
        f"{tree['metric']} is {_shown(tree['mean'], measure)}, mean of {done} of {tree['folds']} folds of the "
        f"{tree['images']:,} training and validation images, data {tree['data']['name']} ({tree['data']['digest']}). "
        "Each fold validates once, trained on the others with a fresh seed; the test set stays closed."
    )
    sure = (
        "Folds share images, so that the spread between them says too little: the interval is Student's with the "
        f"correction of Nadeau and Bengio (2003), {tree['wider']:.2f} times as wide as without."
    )
    rows = table.markdown([_fold(row, measure) for row in tree["rows"]])
    return "\n".join([f"# {tree['run']} on every fold", "", about, "", rows, "", sure]) + "\n"


def _verdicts(tree: Tree, measure: str) -> Iterator[str]:
    """What is told of each choice, in a sentence each, or that nothing is."""
    told = [row for row in tree["choices"] if row["told"]]
    for row in told:
        gain, worse = row["gain"]["mean"], "better" if row["gain"]["mean"] > 0 else "worse"
        amount = f"{100 * abs(gain):.2f} points" if _share(measure) else f"{abs(gain):.4g}"
        yield f"{row['key']} {_value(row['value'])} is {worse} than its default {_value(row['default'])} by {amount}."
    if others := [row["key"] for row in tree["choices"] if row["gain"] and not row["told"]]:
        yield f"Not told from no gain at all: {', '.join(others)}."


def _choice(row: Tree, tree: Tree, measure: str) -> dict[str, str]:
    return {
        "choice": row["key"],
        "value": _value(row["value"]),
        "default": _value(row["default"]),
        "with the default": _shown(row["earned"], measure),
        "gain": _gain(row["gain"], measure),
        "p": "-" if row["p"] is None else f"{row['p']:.2g}",
        "FLOPs": f"{table.quantity(row['flops'])} ({row['flops'] / tree['flops']:.2f} x)" if row["flops"] else "-",
        "seeds": f"{row['seeds']} of {len(tree['seeds'])}" + (f", {row['lost']}" if row["lost"] else ""),
    }


def _fold(row: Tree, measure: str) -> dict[str, str]:
    return {
        "fold": str(row["fold"]),
        "images": f"{row['images']:,}",
        "earned": _shown(row["value"] and {"mean": row["value"], "low": None, "high": None}, measure),
        "seed": str(row["seed"]),
        "state": row["state"],
    }


def _gain(gain: Mapping[str, float | None] | None, measure: str) -> str:
    if gain is None or gain["mean"] is None:
        return table.NOTHING
    times, form = (100, "+.2f") if _share(measure) else (1, "+.4f")
    ends = [f"{times * value:{form}}" for value in (gain["low"], gain["high"]) if value is not None]
    return f"{times * gain['mean']:{form}}" + (f" [{', '.join(ends)}]" if ends else "")


def _shown(metric: Mapping[str, float | None] | None, measure: str) -> str:
    text = table.shown(metric, measure)
    return f"{text} %" if _share(measure) and text != table.NOTHING else text


def _measure(tree: Tree) -> str:
    return str(tree["metric"]).removeprefix(VAL)


def _share(measure: str) -> bool:
    known = metric_of(VAL + measure)
    return known is None or known.share


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
