from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from isoflop.data.duplicates import Counts, duplicates, near


def photos(count: int, seed: int, size: int = 48) -> np.ndarray:
    """Smooth random pictures (N, 3, H, W)."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        noise = Image.fromarray(generator.integers(0, 256, (size, size, 3), np.uint8))
        pixels = np.asarray(noise.filter(ImageFilter.GaussianBlur(4)), float)
        made.append((pixels - pixels.min()) / np.ptp(pixels) * 255)
    return np.stack(made).astype(np.uint8).transpose(0, 3, 1, 2)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).transpose(2, 0, 1)


def test_equal_pixels_are_twins_within_and_across():
    base = photos(6, seed=0)
    parts = [base[[0, 1, 2, 0]], base[[3, 1]], base[[4, 1, 3, 5]]]
    found = duplicates(parts, np.repeat(np.arange(3, dtype=np.int8), [4, 2, 4]))
    assert found.twin.tolist() == [0, 1, 2, 0, 4, 1, 6, 1, 4, 9]
    assert found.counts == Counts(within=1, across=3)


def test_nothing_equal_counts_nothing():
    found = duplicates([photos(8, seed=1)], np.arange(8, dtype=np.int8) % 3)
    assert found.counts == Counts(within=0, across=0)


def test_recompressed_and_brightened_images_are_near():
    first = photos(40, seed=2)
    changed = np.stack([jpeg(first[7], 70), (first[20] * 0.9 + 12).astype(np.uint8), jpeg(first[33], 60)])
    assert near(first, np.concatenate([photos(5, seed=3), changed])) == [(7, 5), (20, 6), (33, 7)]


def test_different_images_are_not_near():
    assert near(photos(60, seed=4), photos(60, seed=5)) == []


def test_flat_images_are_not_near_each_other():
    flat = np.stack([np.full((1, 41, 41), level, np.uint8) for level in range(0, 250, 10)])
    assert near(flat, flat + 3) == []


def test_an_equal_image_is_found_too_and_the_likest_counts():
    first = photos(10, seed=6)
    copies = np.stack([jpeg(first[4], 80), first[4]])
    assert near(np.concatenate([first, copies]), first[4:5]) in ([(4, 0)], [(11, 0)])


def test_images_smaller_than_the_hash_and_more_than_a_block():
    small = np.random.default_rng(7).integers(0, 256, (3000, 1, 8, 8), np.uint8)
    assert near(small, small[::300]) == [(place * 300, place) for place in range(10)]
