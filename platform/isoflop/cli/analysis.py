"""`isoflop analyze` and `errors`: what a study has found and cost, and where a run goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from isoflop.cli.output import Json, amount, emit, table
from isoflop.cli.results import open_store
from isoflop.cli.studies import StudyId

Split = Literal["val", "test"]
JOULES = {"joules_cpu": "processors", "joules_gpu": "GPUs"}
"""Whose energy each measure is."""


def analyze(
    study: StudyId,
    over: Annotated[
        list[str] | None, typer.Option(help="Two or three metrics or costs for the front, each with its own --over.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a study has found: front, important parameters, progress, what the sampler earns, and what it cost."""
    from isoflop.findings import findings
    from isoflop.outcome import known

    found = findings(known(study, open_store()), over or ())
    if json:
        emit(found)
        return
    _front(found["front"])
    _importance(found["importance"])
    _progress(found)
    _arms(found["arms"])
    _cost(found["cost"])


def errors(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, as STUDY/NUMBER.")],
    split: Annotated[Split, typer.Option(help="The split; finalists have both.")] = "val",
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="How to slice, each with its own --by: class, brightness, contrast, saturation, sharpness, "
            "or a column of --slices."
        ),
    ] = None,
    parts: Annotated[int, typer.Option(min=2, help="Slices of brightness and the like, of as many images each.")] = 4,
    slices: Annotated[
        Path | None,
        typer.Option(
            help="A CSV: the first column is an image's key or its place in the split, each other one slices."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Images, pairs and parts to show.")] = 10,
    json: Json = False,
) -> None:
    """Show where a run goes wrong: hardest images, pairs of classes, accuracy by class and by slice."""
    from isoflop.analysis.mistakes import mistakes
    from isoflop.answered import answered

    run_answers = answered(run, split, open_store())
    slicings = run_answers.slices(by or (), slices, parts)
    found = mistakes(run_answers.predictions, run_answers.classes, slices=slicings, top=top)
    hardest = [row | {"key": run_answers.keys[row["image"]]} for row in found["hardest"]]
    found = {"run": run, "split": split} | found | {"hardest": hardest}
    if json:
        emit(found)
        return
    _mistakes(found, top)


def _front(front: Mapping[str, Any]) -> None:
    volume = "-" if front["hypervolume"] is None else f"{front['hypervolume']:.3f}"
    names = tuple(front["quantities"])
    count, candidates = len(front["front"]), front["candidates"]
    title = f"front over {', '.join(names)}: {count} of {candidates} trials, hypervolume {volume}"
    _titled(title, front["front"], ("number", *names))


def _importance(weights: Mapping[str, Mapping[str, Any]] | None) -> None:
    rows = [
        {"parameter": key, "share": f"{one['share']:.1%}", "trials": one["trials"]}
        for key, one in (weights or {}).items()
    ]
    _titled(
        "what tells the best quarter of the COMPLETE trials from all (PED-ANOVA)", rows, tuple(rows[0]) if rows else ()
    )


def _progress(found: Mapping[str, Any]) -> None:
    rows = [row | {"flops": amount(row["flops"]), "seconds": round(row["seconds"], 1)} for row in found["anytime"]]
    title = f"best {found['objective']} so far, in the order of the trials"
    _titled(title, rows, ("number", "trials", "flops", "seconds", "best"))
    for row in found["last_tenth"]:
        gain = "is not known" if row["gain"] is None else f"is {row['gain']:.4g}"
        typer.echo(f"gain of the last tenth of all {row['axis']}, {row['trials']} trials, {gain}")


def _arms(arms: Mapping[str, Any] | None) -> None:
    if arms is not None:
        typer.echo("\nwhat the sampler earns beside the control arm")
        for line in arms["said"]:
            typer.echo(line)


def _cost(cost: Mapping[str, Any]) -> None:
    rows = [{"of": "study", **cost["study"]}]
    rows += [{"of": name, **one} for part in ("families", "states") for name, one in cost[part].items()]
    shown = [
        {
            "of": row["of"],
            "trainings": row["trials"],
            "FLOPs": amount(row["flops"]),
            "device-seconds": round(row["device_seconds"], 1),
            "images": row["images"],
            "energy": _energy(row),
            "memory": amount(row["memory"], "B"),
        }
        for row in rows
    ]
    _titled("what it cost, in all, by family and by state", shown, tuple(shown[0]))
    typer.echo(f"{cost['study']['wall_seconds']:,.0f} seconds from its first event to its last")
    typer.echo(_metered(cost["study"]))


def _energy(cost: Mapping[str, Any]) -> str:
    parts = [cost[key] for key in JOULES if cost[key] is not None]
    return amount(sum(parts), "J") if parts else "-"


def _metered(cost: Mapping[str, Any]) -> str:
    """Whose energy is known."""
    parts = [f"{amount(cost[key], 'J')} of {what}" for key, what in JOULES.items() if cost[key] is not None]
    if not parts:
        return "no machine told its energy: isoflop doctor says why of this one"
    some = f"{cost['metered']} of {cost['trials']} trainings whose energy is known throughout"
    return f"energy: {' and '.join(parts)}; {some}"


def _titled(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table below a line, which is not folded at the table's edge, and above it an empty one."""
    typer.echo(f"\n{title}")
    table(rows, columns, empty="nothing to say")


def _mistakes(found: Mapping[str, Any], top: int) -> None:
    seeds = f"{found['seeds']} seed{'' if found['seeds'] == 1 else 's'}"
    typer.echo(
        f"{found['run']} on {found['split']}: {_share(found['accuracy'])} right, {found['images']:,} images, {seeds}"
    )
    rows = [
        row
        | {"truth": f"{row['probability']:.2%}", "confidence": _percent(row["confidence"]), "missed by": row["missed"]}
        for row in found["hardest"]
    ]
    columns = ("image", "key", "class", "said", "confidence", "truth", "missed by")
    _titled("hardest images: the least probability of the truth, mean over seeds", rows, columns)
    _titled("classes taken for each other, over all seeds", found["confused"], ("class", "said", "answers"))
    ways = {row["by"]: [one for one in found["slices"] if one["by"] == row["by"]] for row in found["slices"]}
    for title, rows in {"classes": found["classes"], **{f"slices by {by}": rows for by, rows in ways.items()}}.items():
        parts = [_part(row) for row in rows[:top]]
        _titled(f"{title}, the lowest first", parts, ("name", "images", "right", "worse than the rest", "p"))


def _part(row: Mapping[str, Any]) -> dict[str, Any]:
    """A class or a slice in words."""
    p = "-" if row["p"] is None else f"{row['p']:.2g}"
    return {
        "name": row["name"],
        "images": row["images"],
        "right": _share(row),
        "worse than the rest": row["worse"],
        "p": p,
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _share(row: Mapping[str, float]) -> str:
    return f"{100 * row['mean']:.2f} [{100 * row['low']:.2f}, {100 * row['high']:.2f}] %"
