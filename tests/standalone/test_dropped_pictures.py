"""What is dropped on the prompt: the infotext of a picture of any format, or a text."""

from io import BytesIO

import gradio as gr
import pytest
from PIL import Image, PngImagePlugin


@pytest.fixture
def image_data(host):
    return host.module("images").image_data


def picture(kind, text):
    data = BytesIO()
    how = {}
    if kind == "PNG":
        how["pnginfo"] = PngImagePlugin.PngInfo()
        how["pnginfo"].add_text("parameters", text)
    else:
        exif = Image.Exif()
        exif[0x8769] = {0x9286: b"UNICODE\0" + text.encode("utf-16-be")}
        how["exif"] = exif
    Image.new("RGB", (8, 8)).save(data, format=kind, **how)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_infotext_of_a_picture_is_read(image_data, kind):
    assert image_data(picture(kind, "夜\nSteps: 3")) == ("夜\nSteps: 3", None)


TEXT = "夜\nSteps: 3, Sampler: Euler a"


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"ASCII\0\0\0" + TEXT.encode(),
        bytes(8) + TEXT.encode(),
        b"JIS\0\0\0\0\0" + TEXT.encode("cp932"),
        TEXT.encode(),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_the_infotext_is_read_as_other_programs_write_it(image_data, kind, comment):
    data, exif = BytesIO(), Image.Exif()
    exif[0x8769] = {0x9286: comment}
    Image.new("RGB", (8, 8)).save(data, format=kind, exif=exif)
    assert image_data(data.getvalue()) == (TEXT, None)


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_a_comment_without_exif_is_read(image_data, kind):
    data = BytesIO()
    Image.new("RGB", (8, 8)).save(data, format=kind, comment=TEXT.encode())
    assert image_data(data.getvalue()) == (TEXT, None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-be"])
def test_a_text_with_a_mark_of_its_encoding_is_read(image_data, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    assert image_data((mark + TEXT).encode(encoding)) == (TEXT, None)


def test_a_text_is_taken_as_it_is(image_data):
    assert image_data("夜\nSteps: 3".encode()) == ("夜\nSteps: 3", None)


@pytest.mark.parametrize("data", [None, b"", b"\xff\xfe\x00", b"x" * 20_000])
def test_anything_else_leaves_the_prompt(image_data, data):
    assert image_data(data) == (gr.update(), None)


def test_a_picture_without_infotext_leaves_the_prompt(image_data):
    data = BytesIO()
    Image.new("RGB", (8, 8)).save(data, format="JPEG")
    assert image_data(data.getvalue()) == (gr.update(), None)
