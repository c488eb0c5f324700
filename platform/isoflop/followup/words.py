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
        f"As it is {tree['metric']} is {value_text(tree['as_is'], tree)} on {_seeds(seeds)} that nothing before it "
        f"was trained with, data {tree['data']['name']} ({tree['data']['digest']}), validation alone. Each choice was "
        f"set back to its default and trained on the same seeds. The gain is by how much the run is better for it, "
        f"paired {paired}{', in points' if _share(measure) else ''}; intervals are each at 95 %, p is for all choices "
        "together (Holm)."
    )
    lines = [f"# What each choice of {tree['run']} is worth", "", about]
    if tree["choices"]:
        lines += ["", table.markdown(choice_rows(tree))]
    lines += ["", *_verdicts(tree, measure)]
    if seeds == 1:
        lines.append("One seed was trained: nothing is known of others.")
    lines += [f"Not set back: {one['key']} {setting_text(one['value'])}, {one['why']}." for one in tree["untouched"]]
    return "\n".join(lines) + "\n"


def choice_rows(tree: Tree) -> list[dict[str, str]]:
    """One row a choice of an ablation: what the run comes to with its default, and what the choice is worth."""
    return [_choice(row, tree, _measure(tree)) for row in tree["choices"]]


def folds_text(tree: Tree) -> str:
    """The report of a cross-validation."""
    done = len(tree["values"])
    about = (
        f"{tree['metric']} is {value_text(tree['mean'], tree)}, mean of {done} of {tree['folds']} folds of the "
        f"{tree['images']:,} training and validation images, data {tree['data']['name']} ({tree['data']['digest']}). "
        "Each fold validates once, trained on the others with a fresh seed; the test set stays closed."
    )
    sure = (
        "Folds share images, so that the spread between them says too little: the interval is Student's with the "
        f"correction of Nadeau and Bengio (2003), {tree['wider']:.2f} times as wide as without."
    )
    rows = table.markdown([_fold(row, tree) for row in tree["rows"]])
    return "\n".join([f"# {tree['run']} on every fold", "", about, "", rows, "", sure]) + "\n"


def value_text(metric: Mapping[str, float | None] | None, tree: Tree) -> str:
    """A value of the report's metric with its interval; a share in percent."""
    text = table.shown(metric, measure := _measure(tree))
    return f"{text} %" if _share(measure) and text != table.NOTHING else text


def setting_text(value: object) -> str:
    """A setting's value in few letters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _verdicts(tree: Tree, measure: str) -> Iterator[str]:
    """What is told of each choice, in a sentence each, or that nothing is."""
    told = [row for row in tree["choices"] if row["told"]]
    for row in told:
        gain, worse = row["gain"]["mean"], "better" if row["gain"]["mean"] > 0 else "worse"
        amount = f"{100 * abs(gain):.2f} points" if _share(measure) else f"{abs(gain):.4g}"
        value, default = setting_text(row["value"]), setting_text(row["default"])
        yield f"{row['key']} {value} is {worse} than its default {default} by {amount}."
    if others := [row["key"] for row in tree["choices"] if row["gain"] and not row["told"]]:
        yield f"Not told from no gain at all: {', '.join(others)}."


def _choice(row: Tree, tree: Tree, measure: str) -> dict[str, str]:
    return {
        "choice": row["key"],
        "value": setting_text(row["value"]),
        "default": setting_text(row["default"]),
        "with the default": value_text(row["earned"], tree),
        "gain": _gain(row["gain"], measure),
        "p": "-" if row["p"] is None else f"{row['p']:.2g}",
        "FLOPs": f"{table.quantity(row['flops'])} ({row['flops'] / tree['flops']:.2f} x)" if row["flops"] else "-",
        "seeds": f"{row['seeds']} of {len(tree['seeds'])}" + (f", {row['lost']}" if row["lost"] else ""),
    }


def _fold(row: Tree, tree: Tree) -> dict[str, str]:
    return {
        "fold": str(row["fold"]),
        "images": f"{row['images']:,}",
        "earned": value_text(row["value"] and {"mean": row["value"], "low": None, "high": None}, tree),
        "seed": str(row["seed"]),
        "state": row["state"],
    }


def _gain(gain: Mapping[str, float | None] | None, measure: str) -> str:
    if gain is None or gain["mean"] is None:
        return table.NOTHING
    times, form = (100, "+.2f") if _share(measure) else (1, "+.4f")
    ends = [f"{times * value:{form}}" for value in (gain["low"], gain["high"]) if value is not None]
    return f"{times * gain['mean']:{form}}" + (f" [{', '.join(ends)}]" if ends else "")


def _measure(tree: Tree) -> str:
    return str(tree["metric"]).removeprefix(VAL)


def _share(measure: str) -> bool:
    known = metric_of(VAL + measure)
    return known is None or known.share


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"
