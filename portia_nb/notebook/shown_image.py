"""Images that steps put out, small enough to be kept in a notebook: pixels only, never SVG."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

MAX_IMAGE_BYTES = 32_000
"""Of one image, in base64: a saved run holds it twice."""
MAX_PIXELS = 50_000_000
MAX_SIDE = 640
"""Pixels to which larger figures and PIL images are brought; bytes stay as they are."""

_SMALLER: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (MAX_SIDE, "image/png", {"optimize": True}),
    (MAX_SIDE, "image/jpeg", {"quality": 80}),
    (MAX_SIDE, "image/jpeg", {"quality": 40}),
    (MAX_SIDE // 2, "image/jpeg", {"quality": 40}),
)
"""Pixels a side, and how they are written: each takes less than the one before."""
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png", "PNG"),
    (b"\xff\xd8\xff", 0, "image/jpeg", "JPEG"),
    (b"GIF87a", 0, "image/gif", "GIF"),
    (b"GIF89a", 0, "image/gif", "GIF"),
    (b"WEBP", 8, "image/webp", "WebP"),
)


def show_image(value: Any, max_bytes: int) -> dict[str, Any] | None:
    r"""Return an image as views show it, None where `value` is none.

    Images are the bytes of a PNG, JPEG, GIF or WebP file, PIL images, and matplotlib figures and
    axes. What is too large is named and not shown; bytes are never decoded here.

    Args:
        value: anything.
        max_bytes: how long the image may be in base64.

    >>> shown = show_image(b"\x89PNG\r\n\x1a\n" + bytes(100), 1_000)
    >>> shown["image"]["mime"], shown["image"]["about"]
    ('image/png', 'PNG image, 0.1 kB')
    """
    max_bytes = min(max_bytes, MAX_IMAGE_BYTES)
    if isinstance(value, bytes | bytearray):
        return _file(bytes(value), max_bytes)
    figure = _figure(value)
    if figure is not None:
        return _drawn(figure, max_bytes)
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(value, pil.Image):
        return _pil(value, max_bytes)
    return None


def _file(data: bytes, max_bytes: int) -> dict[str, Any] | None:
    for magic, at, mime, name in _KINDS:
        if data[at : at + len(magic)] == magic:
            about = f"{name} image, {_size(data)}{len(data) / 1000:,.1f} kB"
            return _shown(mime, data, about, max_bytes)
    return None


def _size(data: bytes) -> str:
    if data[12:16] != b"IHDR":
        return ""
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    return f"{width:,} by {height:,} pixels, "


def _figure(value: Any) -> Any:
    """Return a matplotlib figure, also of axes; None where `value` is neither."""
    module = sys.modules.get("matplotlib.figure")
    if module is None:
        return None
    if isinstance(value, module.Figure):
        return value
    figure = getattr(value, "figure", None) if type(value).__module__[:10] == "matplotlib" else None
    return figure if isinstance(figure, module.Figure) else None


def _drawn(figure: Any, max_bytes: int) -> dict[str, Any]:
    width, height = figure.get_size_inches()
    dpi = min(figure.dpi, MAX_SIDE / max(width, height, 0.1))
    data = b""
    for share in (1.0, 0.7, 0.5):
        file = io.BytesIO()
        # Its own canvas may be a window's, which only the main thread may touch.
        figure.savefig(file, format="png", dpi=dpi * share, backend="agg")
        data = file.getvalue()
        if _in_base64(data) <= max_bytes:
            break
    return _shown("image/png", data, f"figure, {_size(data)}{len(data) / 1000:,.1f} kB", max_bytes)


def _pil(image: Any, max_bytes: int) -> dict[str, Any]:
    about = f"image, {image.width:,} by {image.height:,} pixels"
    if image.width * image.height > MAX_PIXELS:
        return {"cut": f"{about}: too large to show here; it is whole in Python"}
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    small = image.convert("RGBA" if has_alpha else "RGB")
    found: tuple[str, bytes] = ("", b"")
    for side, mime, options in _SMALLER:
        small.thumbnail((side, side))
        made = small.convert("RGB") if mime == "image/jpeg" else small
        file = io.BytesIO()
        made.save(file, format=mime.removeprefix("image/"), **options)
        found = (mime, file.getvalue())
        if _in_base64(found[1]) <= max_bytes:
            break
    return _shown(*found, about, max_bytes)


def _in_base64(data: bytes) -> int:
    return (len(data) + 2) // 3 * 4


def _shown(mime: str, data: bytes, about: str, max_bytes: int) -> dict[str, Any]:
    if _in_base64(data) > max_bytes:
        return {"cut": f"{about}: too large to show here; it is whole in Python"}
    return {"image": {"mime": mime, "data": base64.b64encode(data).decode(), "about": about}}
