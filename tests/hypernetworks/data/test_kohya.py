"""Dataset files of kohya's trainer, and folders named with their repeats."""

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.batches import steps_per_epoch
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image


@pytest.fixture
def folders(tmp_path):
    """Four folders with 3, 2, 4 and 5 pictures, the last with metadata."""
    for name, count in (("hoge", 3), ("fuga", 2), ("reg", 4), ("piyo", 5)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.new("RGB", (30, 20 + number)).save(tmp_path / name / f"{name}{number}.png")
    (tmp_path / "hoge" / "hoge0.txt").write_text("a, b, c, d")
    entries = ", ".join(f'"piyo{n}": {{"caption": "scene {n}", "tags": "t1, t2"}}' for n in range(5))
    (tmp_path / "piyo" / "meta.json").write_text(f"{{{entries}}}")
    return tmp_path


# The structure of the documented example: DreamBooth with class tokens and regularisation, and fine-tuning.
EXAMPLE = """
[general]
shuffle_caption = true
caption_extension = '.txt'
keep_tokens = 1

[[datasets]]
resolution = 512
batch_size = 4
keep_tokens = 2

  [[datasets.subsets]]
  image_dir = 'hoge'
  class_tokens = 'hoge girl'

  [[datasets.subsets]]
  image_dir = 'fuga'
  class_tokens = 'fuga boy'
  keep_tokens = 3

  [[datasets.subsets]]
  is_reg = true
  image_dir = 'reg'
  class_tokens = 'human'
  keep_tokens = 1

[[datasets]]
resolution = [768, 768]
batch_size = 2

  [[datasets.subsets]]
  image_dir = 'piyo'
  metadata_file = 'piyo/meta.json'
"""


def read(folder, text, **changes):
    path = folder / "dataset.toml"
    path.write_text(text)
    return read_dataset(DataSettings(dataset_config=str(path), **changes), "n")


def test_the_documented_example_is_read_with_its_inheritance_repeats_and_steps(folders):
    dataset = read(folders, EXAMPLE)
    assert len(dataset) == 14
    by_folder = {sample.path.parent.name: sample for sample in dataset.samples}
    assert {name: sample.subset.captions.keep_tags for name, sample in by_folder.items()} == {
        "hoge": 2,
        "fuga": 3,
        "reg": 1,
        "piyo": 1,
    }
    assert all(sample.subset.captions.shuffle for sample in dataset.samples)
    captions = [sample.caption for sample in dataset.samples]
    assert captions[:4] == ["a, b, c, d", "hoge girl", "hoge girl", "fuga boy"]
    assert captions[5:9] == ["human"] * 4
    assert captions[-1] == "scene 4, t1, t2"
    # As many turns for regularisation as for the 5 others of its dataset; 3 batches of 4 and 3 of 2.
    assert len(dataset.items) == 3 + 2 + 5 + 5
    assert {(kind.width_px, kind.batch_size) for kind in dataset.kinds} == {(512, 4), (768, 2)}
    assert steps_per_epoch(dataset.kinds, 1) == 3 + 3


def test_repeats_multiply_and_regularisation_follows(folders):
    dataset = read(
        folders,
        """
        [[datasets]]
        resolution = 64
        batch_size = 2
        [[datasets.subsets]]
        image_dir = 'hoge'
        num_repeats = 10
        [[datasets.subsets]]
        image_dir = 'reg'
        is_reg = true
    """,
    )
    taught = [item for item in dataset.items if not dataset.samples[item.sample].subset.is_regularisation]
    assert (len(taught), len(dataset.items)) == (30, 60)
    assert steps_per_epoch(dataset.kinds, 1) == 30
    assert len(dataset.views) == 7  # nothing is encoded twice


def test_every_option_reaches_its_place(folders):
    dataset = read(
        folders,
        """
        [general]
        enable_bucket = true
        min_bucket_reso = 128
        max_bucket_reso = 1024
        bucket_reso_steps = 32
        bucket_no_upscale = false
        flip_aug = true
        random_crop = true
        keep_tokens_separator = '|||'
        caption_separator = ';'
        caption_prefix = 'masterpiece, '
        caption_suffix = ', x'
        caption_dropout_rate = 0.1
        caption_dropout_every_n_epochs = 5
        caption_tag_dropout_rate = 0.2
        [[datasets]]
        resolution = [256, 320]
        [[datasets.subsets]]
        image_dir = 'hoge'
        weight = 0.5
    """,
    )
    sample = dataset.samples[0]
    framing, rules = sample.subset.framing, sample.subset.captions
    assert (framing.mode, framing.width_px, framing.height_px, framing.step_px) == ("buckets", 256, 320, 32)
    assert (framing.min_side_px, framing.max_side_px, framing.upscale) == (128, 1024, True)
    assert (sample.subset.is_flipped, sample.subset.crop, sample.weight) == (True, "random", 0.5)
    assert (rules.keep_separator, rules.separator, rules.prefix, rules.suffix) == ("|||", ";", "masterpiece, ", ", x")
    assert (rules.dropout, rules.dropout_every, rules.tag_dropout) == (0.1, 5, 0.2)
    assert len(dataset.views) == 6


SUBSET = "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'hoge'\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SUBSET + "color_aug = 3", r"subset 1: color_aug: must be true or false"),
        (SUBSET + "batch_size = 2", r"subset 1: batch_size cannot stand here"),
        ("[general]\nimage_dir = 'x'\n" + SUBSET, r"\[general\]: image_dir cannot stand here"),
        ("[other]\n" + SUBSET, "the file: other means nothing"),
        (SUBSET + "num_repeats = -1", "num_repeats must be at least 0"),
        (SUBSET + "keep_tokens = -1", "keep_tokens must be at least 0"),
        (SUBSET + "caption_dropout_rate = -0.1", "caption_dropout_rate must be at least 0"),
        (SUBSET + "caption_dropout_every_n_epochs = -1", "caption_dropout_every_n_epochs must be at least 0"),
        (SUBSET + "caption_tag_dropout_rate = -0.1", "caption_tag_dropout_rate must be at least 0"),
        (SUBSET + "weight = 0", "weight must be at least 0.0001"),
        ("[general]\nresolution = 0\n" + SUBSET, "resolution must be at least 8"),
        ("[general]\nbatch_size = 0\n" + SUBSET, "batch_size must be at least 1"),
        ("[general]\nmin_bucket_reso = 7\n" + SUBSET, "min_bucket_reso must be at least 8"),
        ("[general]\nmax_bucket_reso = 7\n" + SUBSET, "max_bucket_reso must be at least 8"),
        ("[general]\nbucket_reso_steps = 0\n" + SUBSET, "bucket_reso_steps must be at least 8"),
        ("[general]\nskip_image_resolution = 0\n" + SUBSET, "skip_image_resolution must be at least 1"),
        (SUBSET + "num_repeats = 'x'", "num_repeats: must be a number"),
        (SUBSET + "flip_aug = 'perhaps'", "flip_aug: must be true or false"),
        (SUBSET + "caption_dropout_rate = 1.5", "caption_dropout_rate must be at most 1"),
        ("[general]\nresolution = 100\n" + SUBSET, "resolution must be a multiple of 8"),
        ("[general]\nresolution = [8, 8, 8]\n" + SUBSET, "resolution must be one number or two"),
        ("[[datasets]]\n[[datasets.subsets]]\nis_reg = true", "image_dir is missing"),
        ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = ' '", "image_dir is missing"),
        (SUBSET + "metadata_file = 'none.json'", "none.json cannot be read"),
        ("datasets = 3", r"datasets must be written as \[\[...\]\]"),
        ("general = 3\n" + SUBSET, r"\[general\] must be a table"),
        ("[general]", r"has no \[\[datasets.subsets\]\]"),
        ("= 3", "is no TOML"),
        (SUBSET.replace("hoge", "gone"), "gone is not a folder"),
        (
            SUBSET + "resize_interpolation = 'area'",
            "resize_interpolation cannot be chosen, as pictures are scaled by .lanczos. here",
        ),
        (SUBSET + "face_crop_aug_range = [3.0, 1.0]", r"face_crop_aug_range: must be .* the lower one first"),
        (
            "[general]\nenable_bucket = true\nmin_bucket_reso = 1024\n" + SUBSET,
            "min_bucket_reso leaves no bucket within",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(folders, text, reason):
    with pytest.raises(SettingsError, match=rf"^data\.dataset_config: .*{reason}"):
        read(folders, text)


def test_a_folder_named_twice_in_a_dataset_counts_once(folders, caplog):
    dataset = read(folders, SUBSET + "[[datasets.subsets]]\nimage_dir = 'hoge'\n")
    assert len(dataset) == 3
    assert "counts once" in caplog.text


@pytest.mark.parametrize("bar", ["|", "｜", " ｜　"])
def test_options_of_more_folders_may_be_full_width(folders, bar):
    line = f'{folders / "fuga"}{bar}num_repeats＝３，weight=０．５、caption_prefix="ー、１"'
    dataset = read_dataset(DataSettings(more_folders=line, width=16, height=16), "n")
    assert {sample.weight for sample in dataset.samples} == {0.5}
    assert len(dataset.items) == 2 * 3


def test_more_folders_have_their_own_options(folders):
    lines = f"{folders / 'fuga'} | num_repeats=3, weight=2\n{folders / 'reg'}|is_reg=true"
    dataset = read_dataset(DataSettings(folder=str(folders / "hoge"), more_folders=lines, width=16, height=16), "n")
    assert [sample.weight for sample in dataset.samples] == [1.0] * 3 + [2.0] * 2 + [1.0] * 4
    assert len(dataset.items) == 2 * (3 + 2 * 3)
    for line, reason in (
        ("x | colour=3", "colour means nothing"),
        ("x | num_repeats=y", "must be a number"),
        ("x | weight=0,5", ", as in 0.5"),
        ("x ｜ weight＝０，５", ", as in 0.5"),
    ):
        with pytest.raises(SettingsError, match=rf"^data\.more_folders: .*{reason}"):
            read_dataset(DataSettings(more_folders=line), "n")
    with pytest.raises(SettingsError, match=r"^data\.more_folders: .*none is not a folder"):
        read_dataset(DataSettings(more_folders="none"), "n")


def test_folders_may_be_named_with_their_repeats(folders):
    (folders / "hoge").rename(folders / "4_sks_girl")
    (folders / "fuga").rename(folders / "2_boy")
    plain = read_dataset(DataSettings(folder=str(folders), width=16, height=16), "n")
    assert len(plain.items) == 14
    named = read_dataset(DataSettings(folder=str(folders), width=16, height=16, folder_repeats=True), "n")
    assert len(named.items) == 2 * 2 + 3 * 4
    assert [sample.caption for sample in named.samples] == ["boy", "boy", "a, b, c, d", "sks girl", "sks girl"]


def test_repeats_give_random_crops_to_what_is_taught_and_one_to_regularisation_pictures(folders):
    settings = DataSettings(
        folder=str(folders / "hoge"),
        regularisation_folder=str(folders / "reg"),
        crop="random",
        repeats=3,
        width=16,
        height=16,
    )
    crops = {(sample.subset.is_regularisation, len(sample.frames)) for sample in read_dataset(settings, "n").samples}
    assert crops == {(False, 3), (True, 1)}


def test_regularisation_pictures_take_as_many_turns_with_their_weight(folders):
    settings = DataSettings(
        folder=str(folders / "hoge"),
        regularisation_folder=str(folders / "reg"),
        regularisation_weight=0.5,
        repeats=2,
        width=16,
        height=16,
    )
    dataset = read_dataset(settings, "n")
    turns = [dataset.samples[item.sample] for item in dataset.items]
    assert [sample.subset.is_regularisation for sample in turns] == [False] * 6 + [True] * 6
    assert {sample.weight for sample in turns[6:]} == {0.5}
    assert len({sample.path for sample in turns[6:]}) == 4
    trained, held_out = dataset.split(1)
    assert len(held_out.items) == 1
    assert not held_out.samples[0].subset.is_regularisation
    assert len(trained.items) == 2 * 2 * 2
