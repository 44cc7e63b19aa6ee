"""What kohya's documentation shows and promises of dataset files beyond the first example."""

import json

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings
from PIL import Image

from tests.hypernetworks.data.test_kohya import SUBSET, folders, read

__all__ = ["folders"]


DOCUMENTED_WITH_SEPARATORS = """
[general]
flip_aug = true
color_aug = false
resolution = [1024, 1024]

[[datasets]]
batch_size = 6
enable_bucket = true
bucket_no_upscale = true
caption_extension = ".txt"
keep_tokens_separator= "|||"
shuffle_caption = true
caption_tag_dropout_rate = 0.1
secondary_separator = ";;;"
enable_wildcard = true

  [[datasets.subsets]]
  image_dir = "hoge"
  num_repeats = 1
  caption_prefix = "1girl, hatsune miku, vocaloid |||"
  caption_suffix = ", anime screencap ||| masterpiece, rating: general"
"""


def test_the_documented_separators_wildcards_and_lines_are_read(folders):
    (folders / "hoge" / "hoge0.txt").write_text(
        "stage, sky;;;cloud;;;day, {simple|white} background\n{{retro style}}\n"
    )
    dataset = read(folders, DOCUMENTED_WITH_SEPARATORS, min_side=8, bucket_step=8)
    shown = [dataset.text(0, epoch) for epoch in range(80)]
    assert all(text.startswith("1girl, hatsune miku, vocaloid, ") for text in shown)
    assert all(text.endswith(", masterpiece, rating: general") for text in shown)
    assert not any(mark in text for mark in ("|||", ";;;") for text in shown)
    for part in ("sky,cloud,day", "simple background", "white background", "{retro style}", "anime screencap"):
        assert 5 < sum(part in text for text in shown) < 80
    assert not any("retro" in text and "stage" in text for text in shown)  # one line at a time
    assert dataset.samples[0].caption == (
        "1girl, hatsune miku, vocaloid, stage, sky,cloud,day, simple background, anime screencap, "
        "masterpiece, rating: general"
    )


def test_the_documented_sets_of_several_resolutions_pass_over_small_pictures(folders, caplog):
    for number, side in enumerate((768, 1024, 1280)):
        Image.new("RGB", (side, side)).save(folders / "hoge" / f"hoge{number}.png")
    sets = "".join(
        f"""
        [[datasets]]
        resolution = {side}
        {skip}
        [[datasets.subsets]]
        image_dir = 'hoge'
    """
        for side, skip in ((768, ""), (1024, "skip_image_resolution = 768"), (1280, "skip_image_resolution = 1024"))
    )
    with caplog.at_level("INFO"):
        dataset = read(
            folders, "[general]\nenable_bucket = true\nbucket_no_upscale = true\nmax_bucket_reso = 1536" + sets
        )
    assert [sample.frames[0].width_px for sample in dataset.samples] == [768, 768, 768, 1024, 1024, 1280]
    assert "3 pictures are passed over" in caplog.text
    with pytest.raises(SettingsError, match="skip_image_resolution passes over all"):
        read(folders, "[general]\nskip_image_resolution = [2000, 2000]\n" + SUBSET)


def test_only_what_the_metadata_names_counts_and_what_is_missing_is_named(folders, caplog):
    (folders / "piyo" / "piyo4.png").rename(folders / "piyo" / "other.png")
    dataset = read(folders, "[[datasets]]\n[[datasets.subsets]]\nimage_dir='piyo'\nmetadata_file='piyo/meta.json'")
    assert [sample.path.name for sample in dataset.samples] == [f"piyo{n}.png" for n in range(4)]
    assert "Left out: piyo4: it is in the metadata, and there is no such picture in" in caplog.text


def test_metadata_with_whole_paths_needs_no_folder(folders):
    entries = {str(folders / "hoge" / "hoge1.png"): {"caption": "one"}, "fuga/fuga0.png": {"tags": "two"}}
    (folders / "all.json").write_text(json.dumps(entries))
    dataset = read(folders, "[[datasets]]\n[[datasets.subsets]]\nmetadata_file = 'all.json'\nnum_repeats = 3")
    assert [(sample.path.name, sample.caption) for sample in dataset.samples] == [
        ("hoge1.png", "one"),
        ("fuga0.png", "two"),
    ]
    assert len(dataset.items) == 6


def test_metadata_files_make_subsets_different_and_the_same_one_counts_once(folders, caplog):
    (folders / "two.json").write_text('{"piyo0": {"caption": "again"}}')
    text = "[[datasets]]\n" + "".join(
        f"[[datasets.subsets]]\nimage_dir='piyo'\nmetadata_file='{name}'\n"
        for name in ("piyo/meta.json", "two.json", "two.json")
    )
    assert len(read(folders, text)) == 6
    assert caplog.text.count("counts once") == 1


def test_prefix_and_suffix_are_shuffled_and_kept_like_tags_as_documented(folders):
    text = SUBSET + "shuffle_caption = true\nkeep_tokens = 1\ncaption_prefix = 'aaa, zzz,'\ncaption_suffix = ', yyy'"
    dataset = read(folders, text)
    shown = [dataset.text(0, epoch).split(", ") for epoch in range(30)]
    assert all(tags[0] == "aaa" for tags in shown)
    assert {tag for tags in shown for tag in tags[1:2]} == {"zzz", "a", "b", "c", "d", "yyy"}


def test_there_are_buckets_only_where_the_file_says_so(folders):
    assert {sample.subset.framing.mode for sample in read(folders, SUBSET, framing="buckets").samples} == {"square"}


def test_weights_of_regularisation_pictures_are_those_of_the_form(folders):
    text = SUBSET + "[[datasets.subsets]]\nimage_dir = 'reg'\nis_reg = true"
    assert [sample.weight for sample in read(folders, text, regularisation_weight=0.25).samples] == [1.0] * 3 + [
        0.25
    ] * 4


def test_alpha_masks_are_read(folders):
    assert read(folders, SUBSET + "alpha_mask = true").samples[0].subset.masks == "alpha"


def test_options_of_more_folders_may_hold_commas_in_quotes(folders):
    line = f'{folders / "fuga"} | caption_prefix="good, very good", num_repeats=2'
    dataset = read_dataset(DataSettings(more_folders=line), "n")
    assert dataset.samples[0].caption == "good, very good fuga0"
    assert len(dataset.items) == 4
