"""Architectures: one file a family, a registry, and what a model costs before it is built."""

from __future__ import annotations

from isoflop.models.cost import Cost as Cost
from isoflop.models.cost import cost as cost
from isoflop.models.net import Net as Net
from isoflop.models.registry import build as build
from isoflop.models.registry import register as register
