"""Slices by a table and by numbers, made up by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isoflop.analysis.slices import of_quantiles, read_slices
from isoflop.errors import InputError


def test_slices_are_read_by_key_or_place(tmp_path: Path) -> None:
    path = tmp_path / "slices.csv"
    path.write_text("image,light,camera\na.png,night,old\n2,rain\nelsewhere.png,snow,new\n1,,new\n")
    found = read_slices(path, ["a.png", "b.png", "c.png"])
    masks = {column: {name: mask.tolist() for name, mask in slicing.items()} for column, slicing in found.items()}
    assert masks == {
        "light": {"night": [True, False, False], "rain": [False, False, True]},
        "camera": {"new": [False, True, False], "old": [True, False, False]},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image\na.png\n", "no column of slices"),
        ("", "no column of slices"),
        ("image,slice\nz.png,x\n", "names no image"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_says_nothing_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "slices.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_slices(path, ["a.png"])


def test_quantiles_hold_as_many_images_each() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1000) / 1000)
    found = of_quantiles(values, 4)
    assert [int(mask.sum()) for mask in found.values()] == [250] * 4
    assert next(iter(found)) == "1 of 4: 0 to 0.249"
    assert np.stack(list(found.values())).sum(axis=0).tolist() == [1] * 1000
    highest = [values[mask].max() for mask in found.values()]
    assert highest == sorted(highest)


def test_equal_numbers_stay_in_one_slice() -> None:
    found = of_quantiles(np.asarray([0.0] * 70 + [1.0, 2.0, 3.0] * 10), 4)
    assert [int(mask.sum()) for mask in found.values()] == [70, 10, 20]
    assert list(of_quantiles(np.ones(5), 4)) == ["1 of 1: 1 to 1"]
