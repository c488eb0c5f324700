"""Tables and their cells in words: percents, intervals and large numbers as people read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from isoflop.tasks import TEST, USUAL, VAL, metric_of

NOTHING = "-"


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a Markdown table."""
    head = list(rows[0])
    body = [[str(row[key]) for key in head] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body))


def percents(metric: Mapping[str, float | None] | None) -> str:
    """A share and its interval in percent: `98.61 [97.70, 99.16]`."""
    if metric is None or metric["mean"] is None:
        return NOTHING
    mean = f"{100 * metric['mean']:.2f}"
    if metric["low"] is None or metric["high"] is None:
        return mean
    return f"{mean} [{100 * metric['low']:.2f}, {100 * metric['high']:.2f}]"


def shown(metric: Mapping[str, float | None] | None, name: str) -> str:
    """A metric and its interval: a share in percent, anything else as it is."""
    known = metric_of(VAL + name)
    if known is None or known.share or metric is None or metric["mean"] is None:
        return percents(metric)
    ends = "" if metric["low"] is None or metric["high"] is None else f" [{metric['low']:.4f}, {metric['high']:.4f}]"
    return f"{metric['mean']:.4f}{ends}"


def heading(name: str) -> str:
    """The column of a metric such as `val_accuracy`: split and sign of percent, and its name where it is not usual."""
    split, _, measure = name.partition("_")
    known = metric_of(name)
    words = split if name in {USUAL.first, USUAL.first.replace(VAL, TEST)} else f"{split} {measure.replace('_', ' ')}"
    return f"{words} %" if known is None or known.share else words


def quantity(value: float) -> str:
    """A number with three digits and its prefix: `1.23 M`."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:#.3g}".rstrip(".") + f" {unit}"
    return f"{value:.3g}"


def seeds(row: Mapping[str, Any]) -> str:
    """How many seeds a row stands on, whether they were trained as one program, and how many were lost."""
    count = f"{len(row['seeds'])}{' fused' if row['fused'] else ''}"
    return f"{count} (+{row['lost']} lost)" if row["lost"] else count


def searched(row: Mapping[str, Any]) -> str:
    """What a finalist's trial scored in its search, and the luck in that search's best score: `93.10 (luck 0.21)`."""
    value, luck, known = row["searched"], row["luck"], metric_of(row["pick"])
    if value is None:
        return NOTHING
    share = known is None or known.share
    return (f"{100 * value:.2f}" if share else f"{value:.4f}") + (
        f" (luck {100 * luck:.2f})" if luck is not None else ""
    )


def reproduced(verdicts: Sequence[Mapping[str, Any] | None]) -> str:
    """What came of repeating the trainings of a row: `2/3 bit for bit, 1/3 within 0.01`."""
    said = [_said(one) for one in verdicts if one is not None]
    return ", ".join(f"{count}/{len(verdicts)} {words}" for words, count in Counter(said).items()) or NOTHING


def _said(verdict: Mapping[str, Any]) -> str:
    words = {"equal": "bit for bit", "within": f"within {verdict['tolerance']:g}"}.get(verdict["answer"], "DIFFERENT")
    return f"{words} by other code" if verdict.get("other_code") else words


def states(counts: Mapping[str, int]) -> str:
    """State counts in a line: `8 complete, 16 pruned`."""
    return ", ".join(f"{count} {state.lower()}" for state, count in counts.items()) or NOTHING
