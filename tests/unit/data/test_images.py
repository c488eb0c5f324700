from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from isoflop.data import images
from isoflop.data.images import decode, fit, read_image
from isoflop.data.source import UnreadableError
from isoflop.errors import DataError


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def ramp(height: int = 20, width: int = 30) -> np.ndarray:
    return np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_grey_stays_one_channel(kind):
    found = decode(encoded(Image.fromarray(ramp()), kind))
    np.testing.assert_array_equal(found[..., 0], ramp())
    assert found.shape == (20, 30, 1)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "JPEG", "WEBP"])
def test_colour_has_three_channels(kind):
    pixels = np.stack([ramp(), ramp()[::-1], np.full((20, 30), 90, np.uint8)], -1)
    found = decode(encoded(Image.fromarray(pixels), kind))
    assert found.shape == (20, 30, 3)
    assert np.abs(found.astype(int) - pixels).mean() < (8 if kind in {"JPEG", "WEBP"} else 1e-9)


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees clockwise when shown
    found = decode(encoded(Image.fromarray(ramp()), "TIFF", exif=exif))
    np.testing.assert_array_equal(found[..., 0], np.rot90(ramp(), -1))


def test_broken_exif_is_no_reason_to_leave_an_image_out():
    data = encoded(Image.fromarray(ramp()), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffbroken")
    with images.quiet():
        assert decode(data).shape == (20, 30, 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_is_laid_on_white(mode):
    image = Image.new(mode, (4, 4), (10, 20, 30, 0) if mode == "RGBA" else (10, 0))
    found = decode(encoded(image))
    assert found.shape == (4, 4, 3 if mode == "RGBA" else 1)
    assert (found == 255).all()


def test_half_transparent_mixes_with_white():
    assert decode(encoded(Image.new("LA", (2, 2), (0, 128)))).ravel().tolist() == [127] * 4


@pytest.mark.parametrize(("colours", "channels"), [([0, 0, 0, 200, 200, 200], 1), ([0, 0, 0, 200, 0, 0], 3)])
def test_palettes_are_grey_where_all_their_colours_are(colours, channels):
    image = Image.new("P", (4, 4), 1)
    image.putpalette(colours)
    found = decode(encoded(image))
    assert found.shape == (4, 4, channels)
    assert (found[..., 0] == 200).all()


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((0, 0), 1)
    found = decode(encoded(image, transparency=0))
    assert found[0, 0].tolist() == [200, 0, 0]
    assert found[3, 3].tolist() == [255, 255, 255]


def test_sixteen_bits_keep_their_order_and_range():
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    assert decode(encoded(Image.fromarray(values)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_one_bit_becomes_black_and_white():
    assert decode(encoded(Image.new("1", (3, 3), 1))).ravel().tolist() == [255] * 9


def test_cmyk_becomes_rgb():
    found = decode(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(found.astype(int) - [255, 0, 0]).max() < 12


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert found[0, 0].tolist() == [255, 0, 0]


def test_floating_point_is_refused():
    with pytest.raises(UnreadableError, match="floating-point"):
        decode(encoded(Image.fromarray(ramp().astype(np.float32)), "TIFF"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_truncated_files_are_unreadable(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(pixels), kind)
    with images.quiet(), pytest.raises(UnreadableError) as caught:
        decode(data[: len(data) // 2])
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("data", [b"no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"<svg></svg>", b"%PDF-1.4"])
def test_what_is_no_image_is_unreadable(data):
    with pytest.raises(UnreadableError):
        decode(data)


def test_bombs_are_refused_by_their_header():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    for side in (60_000, 8_000):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        with images.quiet(), pytest.raises(UnreadableError, match="more than 50 million pixels"):
            decode(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def test_fit_cuts_the_largest_centred_square():
    pixels = np.zeros((10, 30, 1), np.uint8)
    pixels[:, 10:20] = 200
    assert (fit(pixels, resolution=10, channels=1) == 200).all()
    assert (fit(pixels, resolution=5, channels=1) == 200).all()
    assert fit(pixels.transpose(1, 0, 2), resolution=20, channels=3).shape == (3, 20, 20)


def test_fit_of_the_right_size_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    np.testing.assert_array_equal(fit(pixels, resolution=8, channels=3), pixels.transpose(2, 0, 1))


def test_fit_averages_when_it_shrinks():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    found = fit(board, resolution=8, channels=1)
    assert np.abs(found.astype(int) - 127).max() < 30


def test_fit_between_grey_and_colour():
    grey = np.full((4, 4, 1), 77, np.uint8)
    assert (fit(grey, resolution=4, channels=3) == 77).all()
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (fit(red, resolution=4, channels=1) == 76).all()  # 0.299 of full red


def test_read_image_is_ready_for_a_net(tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png", resolution=16, channels=3)
    assert (found.shape, str(found.dtype)) == ((3, 16, 16), "uint8")


@pytest.mark.parametrize("name", ["gone.png", "empty.png", "folder", "text.png"])
def test_read_image_names_the_file_and_the_reason_in_one_line(tmp_path, name):
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError) as caught:
        read_image(tmp_path / name, resolution=8, channels=1)
    (fault,) = caught.value.faults
    assert fault.where == str(tmp_path / name)
    assert fault.what
    assert fault.remedy
    assert "\n" not in str(caught.value)
