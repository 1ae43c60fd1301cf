"""Make pictures small: few colours, as drawn surfaces have, and no more than a limit of bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

MAX_BYTES = 100_000
COLOURS = (256, 128, 64, 32)


def keep_small(taken: bytes, file: Path) -> Path:
    """Write a screenshot to `file` with so few colours that it is small; return `file`.

    Args:
        taken: the screenshot, as PNG.
        file: where it goes.

    Raises:
        ValueError: it is larger than `MAX_BYTES` even with the fewest colours.
    """
    picture = Image.open(BytesIO(taken)).convert("RGB")
    for colours in COLOURS:
        # No dithering: text stays sharp, and flat areas flat, which is also what packs best.
        few = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(file, optimize=True)
        if file.stat().st_size <= MAX_BYTES:
            return file
    raise ValueError(f"{file.name} is {file.stat().st_size:,} bytes large; take less of the page")
