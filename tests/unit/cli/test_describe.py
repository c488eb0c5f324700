"""What `describe` counts."""

from __future__ import annotations

import pytest

from isoflop.cli.describe import Asked
from isoflop.errors import IsoflopError


def parameters(*knobs: str, resolution: int = 16) -> int:
    shape = {"width": 0.125}
    asked = Asked.of("googlenet", shape, resolution=resolution, channels=1, classes=10, knobs=knobs)
    return asked.cost().parameters


def test_a_knob_that_is_true_or_false_can_be_written():
    assert parameters("auxiliary=true") == parameters() > parameters("auxiliary=false")


def test_a_knob_takes_its_legal_values_alone():
    with pytest.raises(IsoflopError, match=r"auxiliary: 'no' is not a legal value .* True, False"):
        parameters("auxiliary=no")
    with pytest.raises(IsoflopError, match="'auxiliary' is not KEY=VALUE"):
        parameters("auxiliary")
