"""Pictures without colour, to see whether shapes alone tell things apart."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations

from PIL import Image, ImageChops
from playwright.async_api import Locator

SIDE = 48
SEEN = 60
"""Of 255 levels of grey: how far from the ground a point must be to belong to a shape."""


async def shape_of(element: Locator) -> Image.Image:
    """Return what an element looks like in black and white, 48 points wide and high."""
    taken = Image.open(BytesIO(await element.screenshot(animations="disabled")))
    grey = taken.convert("L").resize((SIDE, SIDE))
    ground = grey.getpixel((0, 0))
    assert isinstance(ground, int)
    far = ImageChops.difference(grey, Image.new("L", grey.size, ground))
    return far.point([0] * SEEN + [255] * (256 - SEEN))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the part of the points, from 0 to 1, in which two shapes differ."""
    histogram = ImageChops.difference(one, other).histogram()
    return histogram[255] / (SIDE * SIDE)


def least_difference(shapes: dict[str, Image.Image]) -> tuple[float, str, str]:
    """Return how far the two shapes that are most alike differ, and which they are."""
    return min((difference(shapes[a], shapes[b]), a, b) for a, b in combinations(shapes, 2))
