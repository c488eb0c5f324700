"""The data."""

from __future__ import annotations

from isoflop.config.part import Name, Part


class DataConfig(Part):
    """The prepared data set that a training reads."""

    name: Name
    digest: str = ""
