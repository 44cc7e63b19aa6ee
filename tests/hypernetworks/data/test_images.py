"""Pictures of every kind that people have, and what is said of those that cannot be used."""

import struct

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.data import images
from hypernetwork_workbench.hypernetworks.data.buckets import Frame
from hypernetwork_workbench.hypernetworks.data.images import has_size, is_colour, open_picture
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image, ImageFile, features
from PIL.PngImagePlugin import PngInfo

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


def opened(picture, path, **options):
    picture.save(path, **options)
    return open_picture(path)


def near(picture, colour, tolerance=6):
    found = np.asarray(picture, dtype=int).reshape(-1, 3).mean(0)
    return picture.mode == "RGB" and np.abs(found - np.asarray(colour)).max() <= tolerance


def test_every_mode_and_format_gives_its_colours(tmp_path):
    red = Image.new("RGB", (16, 12), (200, 40, 40))
    assert near(opened(red.convert("CMYK"), tmp_path / "a.jpg"), (200, 40, 40))
    assert near(opened(red.convert("CMYK"), tmp_path / "a.tif"), (200, 40, 40))
    for ending in ("png", "bmp", "webp", "gif", "tiff", "jpeg"):
        assert near(opened(red, tmp_path / f"b.{ending}"), (200, 40, 40)), ending
    assert near(opened(red.quantize(4), tmp_path / "c.png"), (200, 40, 40))
    assert near(opened(red.convert("L"), tmp_path / "d.png"), (88, 88, 88))
    assert near(opened(Image.new("1", (16, 12), 1), tmp_path / "e.png"), (255, 255, 255))


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_the_first_frame_of_an_animation_counts(tmp_path, ending):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    path = tmp_path / f"a.{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    assert near(open_picture(path), (255, 0, 0))


def taken_with(orientation, path):
    """Write a picture as a camera does that was held so, and return it as it was seen: red at the upper left."""
    upright = Image.new("RGB", (24, 16), "white")
    upright.paste("red", (0, 0, 12, 8))
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that leads back, by Pillow's numbers
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undone[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(path, exif=exif)
    return upright


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_a_camera_is_turned_upright(tmp_path, orientation, ending):
    upright = np.asarray(taken_with(orientation, tmp_path / f"a.{ending}"), dtype=int)
    found = np.asarray(open_picture(tmp_path / f"a.{ending}"), dtype=int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).mean() < (10 if ending in {"jpg", "webp"} else 1e-9)


def exif_of(*entries, count=None, start=8):
    """Return EXIF data of entries, each packed as it is, with what is at the start of such data."""
    count = len(entries) if count is None else count
    return b"II*\0" + struct.pack("<IH", start, count) + b"".join(entries) + bytes(4)


TURNED = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
BROKEN_EXIF = {
    "nothing at all": (b"", False),
    "a cut header": (b"II*", False),
    "no header": (b"IX" + exif_of(TURNED)[2:], False),
    "no entry where many are announced": (b"II*\0\x08\0\0\0\x09\0\x0f", False),
    "entries beyond the end": (exif_of(TURNED, start=2**31 - 1), False),
    "an entry cut off": (exif_of(TURNED, b"\x0f\x01\x02", count=2)[:-4], True),
    "a value beyond the end": (exif_of(TURNED, struct.pack("<HHII", 0x010F, 2, 99, 9999)), True),
    "a fraction for a text": (exif_of(TURNED, struct.pack("<HHII", 0x9286, 5, 1, 8)), True),
    "a whole number for a fraction": (exif_of(TURNED, struct.pack("<HHII", 0x011A, 4, 1, 8)), True),
    "an unknown kind of value": (exif_of(TURNED, struct.pack("<HHII", 0x010F, 99, 1, 8)), True),
    "an orientation that is none": (exif_of(TURNED.replace(b"\6", b"\x63")), False),
    "a text for an orientation": (exif_of(struct.pack("<HHI4s", 0x0112, 2, 4, b"top")), False),
    "an orientation of a thousand values": (exif_of(struct.pack("<HHII", 0x0112, 3, 1000, 8)), False),
}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("kind", BROKEN_EXIF)
def test_damaged_exif_data_cost_neither_the_picture_nor_a_word(tmp_path, kind, ending):
    data, is_turned = BROKEN_EXIF[kind]
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (24, 16), (254, 0, 0)).save(path, exif=b"Exif\0\0" + data)
    picture = open_picture(path)
    assert picture.size == ((16, 24) if is_turned else (24, 16))
    assert near(picture, (254, 0, 0))


UNWRITABLE = [(0x0103, 16), (0x010F, 12), (0x011A, 7), (0x02BC, 5), (0x8769, 2), (0x8825, 2), (0xA005, 2)]


@pytest.mark.parametrize("entry", UNWRITABLE)
def test_an_entry_that_pillow_could_not_write_again_keeps_no_picture_from_being_turned(tmp_path, entry):
    exif = b"Exif\0\0" + exif_of(TURNED, struct.pack("<HHII", *entry, 1, 8))
    picture, text = Image.new("RGB", (24, 16)), PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(exif)}\n{exif.hex()}")
    assert opened(picture, tmp_path / "a.jpg", exif=exif).size == (16, 24)
    assert opened(picture, tmp_path / "a.png", pnginfo=text).size == (16, 24)


def test_a_cut_picture_stays_broken_where_others_are_less_strict(tmp_path, monkeypatch):
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:900])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(DatasetError, match="truncated"):
        open_picture(tmp_path / "a.jpg")
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize(("kind", "reason"), [(np.float32, "no known range"), (np.int32, "more than 16 bits")])
def test_greys_of_no_known_range_are_refused(tmp_path, kind, reason):
    Image.fromarray(np.full((4, 4), 70000, dtype=kind)).save(tmp_path / "a.tiff")
    with pytest.raises(DatasetError, match=reason):
        open_picture(tmp_path / "a.tiff")


def test_transparency_is_laid_over_the_chosen_colour(tmp_path):
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png", "#102030").getpixel((0, 0)) == (16, 32, 48)
    assert is_colour("grey")
    assert not is_colour("no colour")


def broken(folder):
    """Ten files that are broken, each in another way."""
    whole = folder / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    data = whole.read_bytes()
    whole.unlink()
    noise = Image.effect_noise((64, 64), 50).convert("RGB")
    noise.save(folder / "cut.jpg")
    noise.save(folder / "cut.webp")
    noise.save(folder / "cut.bmp")
    for name in ("cut.jpg", "cut.webp", "cut.bmp"):
        (folder / name).write_bytes((folder / name).read_bytes()[:200])
    (folder / "cut.png").write_bytes(data[:400])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("<html>404</html>")
    (folder / "start.png").write_bytes(data[:8])
    (folder / "flipped.png").write_bytes(data[:100] + bytes([data[100] ^ 255]) + data[101:])
    (folder / "new.avif").write_bytes(b"\0\0\0\x1cftypavif" + bytes(40))
    Image.new("RGB", (9, 9)).save(folder / "caption.png")
    (folder / "caption.txt").write_bytes(b"\xff\xfe\xfa")
    return sorted(
        [
            "cut.jpg",
            "cut.webp",
            "cut.bmp",
            "cut.png",
            "empty.png",
            "text.jpg",
            "start.png",
            "flipped.png",
            "new.avif",
            "caption.txt",
        ]
    )


def can_write_avif():
    """Pillow brings AVIF from 11.2 on; an older one refuses even to be asked."""
    return "avif" in features.modules and features.check("avif")


@pytest.fixture
def mixed(tmp_path):
    """490 pictures of many formats and sizes, and 10 broken ones."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    endings = ["png", "jpg", "webp", "bmp", "gif", "tiff"]
    modes = ["RGB", "L", "RGB", "P", "RGB", "CMYK"]
    if can_write_avif():
        endings, modes = [*endings, "avif"], [*modes, "RGB"]
    for number in range(490):
        size = (24 + 8 * (number % 7), 24 + 8 * (number % 5))
        picture = Image.new("RGB", size, (number % 256, 90, 200))
        place = number % len(endings)
        picture.convert(modes[place]).save(folder / f"{number:03}.{endings[place]}")
    return folder, broken(folder)


def test_good_pictures_train_and_broken_ones_are_named_before_the_first_step(mixed, tmp_path, caplog):
    folder, names = mixed
    job = make_job(
        folder,
        data__framing="buckets",
        data__bucket_step=8,
        data__min_side=8,
        data__batch_size=16,
        train__max_steps=3,
        output__sheet=False,
        output__overwrite=True,
    )
    ports = fake_ports(tmp_path)
    said_before: list[int] = []
    encode = ports.encoder.encode_posterior
    ports.encoder.encode_posterior = lambda batch: said_before.append(len(caplog.records)) or encode(batch)
    result = train(job, ports)
    assert result.steps == 3
    assert ports.encoder.encoded_pictures == 490
    said = [record.message for record in caplog.records if record.message.startswith("Left out: ")]
    assert said_before[0] >= len(said) == 10  # all of it before the first picture is encoded
    assert sorted(line.split(": ")[1] for line in said) == names
    assert all(len(line.split(": ", 2)[2]) > 10 for line in said)  # each with its reason


def test_a_run_may_be_asked_to_stop_at_the_first(mixed, tmp_path):
    folder, _ = mixed
    ports = fake_ports(tmp_path)
    with pytest.raises(DatasetError, match=r"cut\.jpg: .*and 2 more"):
        train(make_job(folder, data__stop_at_broken=True), ports)
    assert ports.encoder.encoded_pictures == 0


def test_pictures_that_are_too_small_are_named(tmp_path, caplog):
    for size in (20, 80):
        Image.new("RGB", (size, size)).save(tmp_path / f"{size}.png")
    settings = DataSettings(folder=str(tmp_path), framing="buckets", width=64, height=64)
    assert len(read_dataset(settings, "n")) == 1
    assert "Left out: 20.png: 20 x 20 pixels are too small for buckets of 64 x 64" in caplog.text


def test_nothing_good_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(DatasetError, match=r"^data\.folder: a\.png"):
        read_dataset(DataSettings(folder=str(tmp_path)), "n")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SettingsError, match="only regularisation pictures"):
        read_dataset(DataSettings(more_folders=f"{tmp_path} | is_reg=true"), "n")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"background": "no colour"}, "background: must be a colour"),
        ({"filename_regex": "("}, "filename_regex: is no regular expression"),
        ({"framing": "buckets", "min_side": 600}, "min_side: leaves no bucket within 512 x 512"),
        ({"framing": "buckets", "min_side": 200, "max_side": 220}, "min_side: leaves no multiple of 64 up to 220"),
        ({"bucket_step": 20}, "bucket_step: must be a multiple of 8"),
        ({"template": ""}, "template: must not be empty"),
    ],
)
def test_wrong_settings_are_named(changes, reason):
    with pytest.raises(SettingsError, match=f"^{reason}"):
        DataSettings(folder="x", **changes)


WRONG = {str: [[1], None], int: ["many", 1.5, -1, True], float: ["much", "nan", -1], bool: ["perhaps", 3]}


@pytest.mark.parametrize("name", [name for name, _, _ in DataSettings.options()])
def test_a_wrong_value_of_any_setting_is_one_sentence_that_names_it(tmp_path, name):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    kind, option = next((kind, option) for one, kind, option in DataSettings.options() if one == name)
    names_file = option.is_path or option.starts_with_paths
    one_line = [["x"]] if kind is str and option.lines == 1 else []  # a list is what a field of several lines takes
    for value in [*WRONG[kind], *one_line, *(["nowhere"] if option.choices or names_file else [])]:
        with pytest.raises((SettingsError, DatasetError), match=rf"^(data\.)?{name}: [^\n]+$"):
            read_dataset(DataSettings(**{"folder": str(tmp_path), "width": 16, "height": 16, name: value}), "n")


def test_the_string_that_joins_a_file_name_keeps_its_blanks(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "red_circle.png")
    settings = DataSettings(folder=str(tmp_path), filename_regex="[a-z]+", filename_join=", ")
    assert read_dataset(settings, "n").samples[0].caption == "red, circle"


def test_templates_come_from_a_file(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "cat.png")
    lines = tmp_path / "lines.txt"
    lines.write_text("\n a [filewords] \n[name] of [filewords]\n")
    settings = DataSettings(folder=str(tmp_path), template_file=str(lines), template="")
    dataset = read_dataset(settings, "ink")
    assert dataset.samples[0].caption == "a cat"
    assert dataset.varies
    lines.write_text("\n")
    with pytest.raises(SettingsError, match=r"^data\.template_file: holds no line"):
        read_dataset(settings, "ink")
    lines.unlink()
    with pytest.raises(SettingsError, match=r"^data\.template_file: cannot be read"):
        read_dataset(settings, "ink")


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_large_picture_comes_smaller_and_is_framed_as_it_was(tmp_path, monkeypatch, orientation, ending):
    upright = taken_with(orientation, tmp_path / f"a.{ending}")
    monkeypatch.setattr(images, "_LARGE_PX", 200)
    found = open_picture(tmp_path / f"a.{ending}")
    assert found.width * found.height <= 200
    assert images.original_size(found) == upright.size == (24, 16)
    part = images.framed(found, Frame((0.0, 0.0, 12.0, 8.0), 4, 4))
    assert near(part, (255, 0, 0), tolerance=40)
    assert near(images.framed(found, Frame((12.0, 8.0, 24.0, 16.0), 4, 4)), (255, 255, 255), tolerance=40)


LARGE = {
    "P": lambda picture: picture.quantize(4),
    "1": lambda picture: picture.convert("L").point(lambda grey: 255 * (grey > 200)).convert("1"),
    "I;16": lambda picture: Image.fromarray(np.asarray(picture.convert("L"), dtype=np.uint16) * 257),
    "LA": lambda picture: picture.convert("LA"),
    "CMYK": lambda picture: picture.convert("CMYK"),
}


@pytest.mark.parametrize("mode", LARGE)
def test_a_large_picture_of_any_mode_is_the_mean_of_its_pixels(tmp_path, monkeypatch, mode):
    picture = Image.new("RGB", (300, 900), "white")
    picture.paste("black", (0, 0, 150, 450))
    LARGE[mode](picture).save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    path = next(tmp_path.iterdir())
    whole = open_picture(path)
    monkeypatch.setattr(images, "_LARGE_PX", 20_000)
    found = open_picture(path)
    assert found.width * found.height <= 20_000
    assert images.original_size(found) == (300, 900)
    few = np.asarray(whole.resize((4, 6), Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(found.resize((4, 6), Image.Resampling.BOX), dtype=int) - few).max() <= 12


@pytest.mark.parametrize("colour", [b"\xff\x00\x00", "palette"])
def test_a_colour_that_means_clear_is_clear_in_a_large_picture_too(tmp_path, monkeypatch, colour):
    picture = Image.new("RGB", (40, 40), "blue")
    picture.paste("red", (0, 0, 40, 20))
    if colour == "palette":
        picture.quantize(2).save(tmp_path / "a.png", transparency=picture.quantize(2).getpixel((0, 0)))
    else:
        picture.save(tmp_path / "a.png", transparency=tuple(colour))
    monkeypatch.setattr(images, "_LARGE_PX", 200)
    found = open_picture(tmp_path / "a.png", "#00ff00")
    assert found.getpixel((2, 1))[1] > 250
    assert found.getpixel((2, found.height - 2))[2] > 250


@pytest.mark.parametrize("masks", ["off", "alpha"])
def test_a_large_picture_is_trained(tmp_path, monkeypatch, masks):
    pictures = tmp_path / "large"
    pictures.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.effect_noise((200, 120), 40).convert("RGB").save(pictures / name)
    monkeypatch.setattr(images, "_LARGE_PX", 5_000)
    ports = fake_ports(tmp_path)
    job = make_job(pictures, data__masks=masks, train__max_steps=2)
    assert train(job, ports).steps == 2
    assert ports.encoder.encoded_pictures == 2


def test_the_limit_of_size_is_ours_and_named(tmp_path):
    data = bytearray(b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 20_000, 15_001, 1, 24, 0, 0, 0, 0, 0, 0))
    (tmp_path / "scan.bmp").write_bytes(data)
    with pytest.raises(
        DatasetError, match=r"^scan\.bmp: the picture cannot be read \(it has more than 300 million pix"
    ):
        open_picture(tmp_path / "scan.bmp")


def test_pillows_own_limit_is_neither_met_nor_left_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    assert opened(Image.new("RGB", (16, 12), "red"), tmp_path / "a.png").size == (16, 12)
    assert Image.MAX_IMAGE_PIXELS == 50
    monkeypatch.setattr(images, "MAX_PX", 100)
    with pytest.raises(DatasetError, match=r"more than \d+ million pixels"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["e.png", "e.jpg", "e.tiff"])
def test_no_picture_is_given_to_an_outside_program_whatever_its_name(tmp_path, monkeypatch, name):
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *call, **_: started.append(call))
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", "gs", raising=False)
    path = tmp_path / name
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(DatasetError, match=rf"{name}: the picture cannot be read"):
        open_picture(path)
    assert not has_size(path, (8, 8))
    assert started == []
