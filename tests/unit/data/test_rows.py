"""Images stay where they are kept, and come as if they were one tensor on the device."""

from __future__ import annotations

import pytest
import torch

from isoflop.data.rows import Rows

CPU = torch.device("cpu")
FIRST, SECOND = (torch.randint(256, (count, 3, 4, 4), dtype=torch.uint8) for count in (7, 5))
BOTH = torch.cat([FIRST, SECOND])
PLACES = torch.tensor([1, 4, 6, 7, 11])


class Away(Rows):
    """As on a GPU: images are kept elsewhere, so the next ones are gathered ahead."""

    def __init__(self, *parts: torch.Tensor) -> None:
        super().__init__(parts, None, CPU)
        self.away = True
        self.gathered: list[list[int]] = []

    def _gather(self, chosen: torch.Tensor) -> torch.Tensor:
        self.gathered.append(chosen.tolist())
        return super()._gather(chosen)


@pytest.mark.parametrize("parts", [(BOTH,), (FIRST, SECOND)])
@pytest.mark.parametrize("places", [None, PLACES])
def test_they_are_indexed_as_one_tensor(parts, places):
    rows = Rows(parts, places, CPU)
    whole = BOTH if places is None else BOTH[places]
    assert len(rows) == len(whole)
    chosen = torch.tensor([4, 0, 3, 0])
    assert torch.equal(rows.index_select(0, chosen), whole[chosen])
    assert torch.equal(rows[1:4], whole[1:4])
    assert torch.equal(torch.cat([rows[at : at + 2] for at in range(0, len(rows), 2)]), whole)


def test_what_is_gathered_ahead_is_not_gathered_again():
    rows = Away(FIRST, SECOND)
    one, two = torch.tensor([0, 8]), torch.tensor([9, 3])
    assert torch.equal(rows.index_select(0, one), BOTH[one])
    rows.ahead(two)
    assert torch.equal(rows.index_select(0, two), BOTH[two])
    assert rows.gathered == [[0, 8], [9, 3]]


def test_what_was_gathered_ahead_in_vain_is_left():
    rows = Away(BOTH)
    one, two = torch.tensor([0, 8]), torch.tensor([9, 3])
    rows.ahead(two)
    assert torch.equal(rows.index_select(0, one), BOTH[one])
    assert torch.equal(rows.index_select(0, two), BOTH[two])


def test_a_fault_of_gathering_ahead_is_told():
    rows = Away(BOTH)
    beyond = torch.tensor([99])
    rows.ahead(beyond)
    with pytest.raises(IndexError, match="out of range"):
        rows.index_select(0, beyond)
