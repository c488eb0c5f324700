"""Several trainings of one shape as one program: their weights are stacked, and every operation does all of them.

On a GPU small nets leave most of the device idle; stacked ones fill it. Members may differ in seed, learning rate and
other numbers (`config/fused.py` says in which). Each sees the batches of its separate run, and does in exact arithmetic
what that does; sums are ordered in another way, so its floats are its own, and so is what dropout and drop-path draw.
"""
