"""One image file to uint8 pixels, whatever its format, size, orientation and colours.

EXIF rotation is applied; what is transparent is laid on white; palettes, CMYK and the like become RGB; 16 bits become 8
by dividing the full range by 257; of an animation the first frame counts. Aspect ratio: the largest centred square is
cut out and resized with an antialiasing bicubic filter.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from isoflop.data.source import Pixels, Probe, UnreadableError
from isoflop.errors import DataError, Fault

FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES: Final = frozenset(
    {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
PIXELS: Final = 50_000_000
"""Images with more pixels are refused by their header, before anything is decoded."""
BYTES: Final = 256 * 2**20
"""Larger files are not opened."""
GREY_MODES: Final = frozenset({"1", "L", "LA", "La"})


def load(path: Path) -> bytes:
    """The bytes of a file. Raises `UnreadableError` where it is missing, empty or too large."""
    try:
        size = path.stat().st_size
        if size > BYTES:
            raise UnreadableError(f"the file has more than {BYTES // 2**20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError((error.strerror or "cannot be read").lower()) from None
    if not data:
        raise UnreadableError("the file is empty")
    return data


def probe(path: Path) -> Probe:
    """Size and colours by the header. Raises `UnreadableError`."""
    with _opened(load(path)) as image:
        return Probe(width=image.width, height=image.height, grey=_is_grey(image))


def decode(data: bytes) -> Pixels:
    """Pixels (H, W, C), C being 1 for grey images and 3 for others. Raises `UnreadableError`."""
    with _opened(data) as image:
        image.load()
        upright = _upright(image)
        if upright.mode.startswith("I"):
            return _from_16_bits(upright)
        plain = np.asarray(_plain(upright), np.uint8)
        return plain if plain.ndim == 3 else plain[..., None]


def fit(pixels: Pixels, *, resolution: int, channels: int) -> Pixels:
    """Pixels (H, W, C) as they are stored: (channels, resolution, resolution)."""
    if pixels.shape[2] != channels:
        mode = "L" if channels == 1 else "RGB"
        converted = np.asarray(_image_of(pixels).convert(mode), np.uint8)
        pixels = converted if channels > 1 else converted[..., None]
    height, width = pixels.shape[:2]
    if height != resolution or width != resolution:
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
        # Cut first: given a box, resize would let pixels from outside it bleed in at the edges.
        resized = _image_of(pixels).crop(box).resize((resolution, resolution), Image.Resampling.BICUBIC)
        pixels = np.asarray(resized, np.uint8).reshape(resolution, resolution, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def read_image(path: Path, *, resolution: int, channels: int) -> Pixels:
    """One file as a prepared set stores it (C, H, W). Raises `DataError` where it cannot be read."""
    try:
        with quiet():
            return fit(decode(load(path)), resolution=resolution, channels=channels)
    except UnreadableError as error:
        remedy = f"give an image file ({', '.join(FORMATS)})"
        raise DataError(Fault(str(path), error.reason, remedy)) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the decoder's warnings off the terminal: what cannot be read is named in the manifest.

    Filters are global to a process, so this wraps the whole reading, not each thread's part.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """An image whose header is read. Everything that goes wrong with it comes out as `UnreadableError`."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            yield image
    except (UnreadableError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise UnreadableError(f"more than {PIXELS // 10**6} million pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError(f"not an image of a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # noqa: BLE001 - on broken files decoders raise whatever comes
        raise UnreadableError(_reason(error)) from None


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > PIXELS:
        raise Image.DecompressionBombError


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[0].lower() + text[1:] if text else type(error).__name__


def _is_grey(image: Image.Image) -> bool:
    if image.mode in {"P", "PA"}:
        image.load()
        colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in GREY_MODES or image.mode.startswith("I")


def _upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation wants it; broken EXIF says nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - as above
        return image


def _plain(image: Image.Image) -> Image.Image:
    """The image as `L` or `RGB`, with nothing transparent."""
    if image.mode == "F":
        raise UnreadableError("floating-point pixels have no fixed range: save it with 8 or 16 bits")
    mode = "L" if _is_grey(image) else "RGB"
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB").convert(mode) if image.mode != mode else image


def _from_16_bits(image: Image.Image) -> Pixels:
    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    return ((values + 128) // 257).astype(np.uint8)[..., None]


def _image_of(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
