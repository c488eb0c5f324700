"""The peak of a step, by hand."""

from __future__ import annotations

from isoflop.models.counting import Operation, peak

IMAGE, A, B, C, WEIGHT = range(5)


def chain() -> list[Operation]:
    """Three operations in a row; the first keeps the image, the last its input."""
    return [
        Operation("", inputs={IMAGE: 10}, outputs={A: 100}, weights={WEIGHT: 7}, kept={IMAGE: 10}),
        Operation("", inputs={A: 100}, outputs={B: 20}, kept={A: 100}),
        Operation("", inputs={B: 20}, outputs={C: 4}, kept={B: 20}),
    ]


def test_the_backward_pass_holds_what_is_kept_and_the_gradients_of_what_it_undoes():
    found = peak(chain(), images=1, weights={WEIGHT: 7}, buffers=3)
    # Undoing the second holds the image, A, and the gradients of A and B; the weight's gradient comes with the first.
    assert found.bytes(1, states=2) == 3 * 7 + 3 + (10 + 100) + (100 + 20)


def test_a_large_weight_makes_the_last_to_be_undone_the_peak():
    operations = chain()
    operations[0].weights = {WEIGHT: 1000}
    found = peak(operations, images=1, weights={WEIGHT: 1000}, buffers=0)
    assert found.bytes(1, states=0) == 1000 + 1000 + 10 + 100


def test_it_grows_with_the_batch_but_for_weights():
    found = peak(chain(), images=2, weights={WEIGHT: 7}, buffers=3)
    assert found.bytes(8, states=1) - found.bytes(4, states=1) == 4 * (10 + 100 + 100 + 20) // 2


def test_what_is_kept_twice_counts_once():
    operations = chain()
    operations[2].kept[A] = 100
    assert peak(operations, images=1, weights={}, buffers=0) == peak(chain(), images=1, weights={}, buffers=0)


def test_the_gradient_of_a_residual_path_waits():
    operations = chain()
    operations[2].inputs[A] = 100
    found = peak(operations, images=1, weights={}, buffers=0)
    assert found.bytes(1, states=0) == (10 + 100 + 20) + (4 + 20 + 100)


def test_without_images_all_gradients_stand_beside_the_weights():
    assert peak([], images=1, weights={WEIGHT: 7}, buffers=3).bytes(0, states=0) == 7 + 7 + 3
