"""How many trials this machine runs side by side."""

from __future__ import annotations

import os

from isoflop.study_spec import Resources


def workers(resources: Resources) -> int:
    """As many as the spec says, else as many as the cores allow."""
    return resources.workers or max(1, (os.cpu_count() or 1) // resources.cpus)
