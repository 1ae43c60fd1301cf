"""Which values are images, how large they may be, and what is said of those that are too large."""

import base64
import io
import json
import struct
from typing import Any

import pytest

from portia_nb.notebook.shown_image import MAX_IMAGE_BYTES, MAX_SIDE, show_image
from portia_nb.notebook.shown_output import OutputRoom, show_output

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + bytes(60)


@pytest.mark.parametrize(
    ("data", "mime", "about"),
    [
        (PNG, "image/png", "PNG image, 640 by 480 pixels, 0.1 kB"),
        (b"\xff\xd8\xff\xe0" + bytes(2_000), "image/jpeg", "JPEG image, 2.0 kB"),
        (b"GIF89a" + bytes(94), "image/gif", "GIF image, 0.1 kB"),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(84), "image/webp", "WebP image, 0.1 kB"),
    ],
)
def test_the_bytes_of_an_image_file_are_shown_as_that_image(data: bytes, mime: str, about: str):
    shown = OutputRoom().show(data)
    assert shown["image"]["mime"] == mime and shown["image"]["about"] == about
    assert base64.b64decode(shown["image"]["data"]) == data


@pytest.mark.parametrize("value", [b"<svg onload='pwn()'/>", b"BM" + bytes(90), b"", "text", 7])
def test_svg_other_bytes_and_other_values_are_no_images(value: Any):
    assert show_image(value, 50_000) is None


def test_what_is_too_large_is_named_and_not_kept():
    shown = OutputRoom().show(PNG + bytes(MAX_IMAGE_BYTES))
    assert "image" not in shown
    assert "640 by 480 pixels" in shown["cut"] and "whole in Python" in shown["cut"]


def test_images_have_a_room_of_their_own_and_the_same_one_is_kept_once():
    room = OutputRoom(total_bytes=1_000, image_bytes=3_000)
    first, again = room.show(PNG), room.show(PNG)
    assert "image" in first and "shown as the result" in again["cut"]
    others = [room.show(PNG + bytes([n]) * 900) for n in range(3)]
    assert ["image" in shown for shown in others] == [True, True, False]
    assert room.show("text") == {"text": "text"}


def test_figures_axes_and_pil_images_are_brought_to_a_size_that_fits():
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(20, 10))
    axes = figure.subplots()
    axes.plot([1, 2, 3])
    noise = Image.effect_noise((2_000, 1_500), 90).convert("RGB")
    for value in (figure, axes, noise):
        shown = OutputRoom().show(value)["image"]
        assert len(shown["data"]) <= MAX_IMAGE_BYTES
        size = Image.open(io.BytesIO(base64.b64decode(shown["data"]))).size
        assert 0 < max(size) <= MAX_SIDE + 1
    assert figure.get_size_inches().tolist() == [20, 10]
    bitmap = Image.new("P", (4, 4), 1)
    assert OutputRoom().show(bitmap)["image"]["about"] == "image, 4 by 4 pixels"


def test_an_image_whose_class_raises_is_shown_as_other_values_are():
    from matplotlib.figure import Figure

    class Broken(Figure):
        def savefig(self, *args: Any, **options: Any) -> None:
            raise RuntimeError("no ink")

    assert set(OutputRoom().show(Broken())) <= {"text", "json", "cut"}


@pytest.mark.parametrize(
    "value",
    [
        {"cities": [{"name": f"city {i}", "text": "x" * 300} for i in range(80)]},
        [[[i, "y" * 90] for i in range(40)] for _ in range(40)],
        {f"key {i}": "z" * 1_900 for i in range(50)},
    ],
)
def test_json_that_is_shortened_stays_json_and_says_so(value: Any):
    shown = show_output(value)
    assert json.loads(shown["json"])
    assert shown["cut"].startswith("shortened")
