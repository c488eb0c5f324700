"""A driver that is there to be killed: it runs or resumes a study.

`python -m benchmarks.victim HOME STUDY EXECUTOR < TREE`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter

from isoflop.bench import Bench, ExecutorName
from isoflop.compound import scale
from isoflop.home import Home
from isoflop.spec import spec_from_tree
from isoflop.study import search


def main() -> None:
    """Run to the end, if one is let."""
    home, study, name = sys.argv[1:]
    executor: ExecutorName = TypeAdapter(ExecutorName).validate_python(name)
    spec = spec_from_tree(json.load(sys.stdin), where=study, name=study)
    bench = Bench(home=Home(Path(home)), executor=executor)
    run = search if spec.study.scale is None else scale
    run(spec, study=study, bench=bench)


if __name__ == "__main__":
    main()
