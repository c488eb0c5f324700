"""Channels, rounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isoflop.scaling import round_channels


@given(st.floats(0.1, 5000), st.integers(1, 64))
def test_rounding_channels_never_takes_more_than_a_tenth(channels, divisor):
    rounded = round_channels(channels, divisor)
    assert rounded % divisor == 0
    assert rounded >= 0.9 * channels
    assert rounded <= max(divisor, channels + divisor)


@given(st.floats(0.1, 5000), st.floats(0.1, 5000), st.integers(1, 64))
def test_more_width_never_rounds_to_fewer_channels(one, other, divisor):
    low, high = sorted((one, other))
    assert round_channels(low, divisor) <= round_channels(high, divisor)
