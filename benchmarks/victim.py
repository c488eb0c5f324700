"""A driver that is there to be killed: it runs or resumes a study.

`python -m benchmarks.victim HOME STUDY EXECUTOR < TREE`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from isoflop.bench import Bench
from isoflop.compound import scale
from isoflop.home import Home
from isoflop.spec import spec_from_tree
from isoflop.study import search


def main() -> None:
    """Run to the end, if one is let."""
    home, study, executor = sys.argv[1:]
    spec = spec_from_tree(json.load(sys.stdin), where=study, name=study)
    bench = Bench(home=Home(Path(home)), executor="ray" if executor == "ray" else "inline")
    run = search if spec.study.scale is None else scale
    run(spec, study=study, bench=bench)


if __name__ == "__main__":
    main()
