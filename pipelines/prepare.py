"""Stage `prepare`: a data set as uint8 arrays with fixed splits."""

from __future__ import annotations

from isoflop.data import prepare
from pipelines.stage import data_folder, main, params


def run() -> None:
    """Prepare the data set that params.yaml names."""
    folder, values = data_folder(), params()["data"]
    done = prepare(
        values.get("source", values["name"]),
        root=folder.parent,
        name=folder.name,
        resolution=values.get("resolution"),
        seed=values["seed"],
    )
    print("\n".join(done.lines()))


if __name__ == "__main__":
    main(run)
