"""Prompt files as people have them: kohya's lines, the WebUI's lines, kohya's TOML and JSON."""

import json
import logging
from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.ports import PictureRequest
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.tracking import prompt_files
from hypernetwork_workbench.hypernetworks.train.tracking.previews import Previews
from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job

BASE = PictureRequest("base", 1, 512, 512, "base bad", "Euler a", 20, 7.0)


def read(folder, text, ending=".txt", encoding="utf-8", **more):
    path = folder / f"prompts{ending}"
    path.write_bytes(text.encode(encoding))
    return prompt_files.read(path, BASE, **more)


def changes(request):
    return {name: value for name, value in vars(request).items() if value != vars(BASE)[name]}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # flags in any case, with any blank, or with a sign
        ("a cat --W 640 --H 448 --S 12", {"prompt": "a cat", "width_px": 640, "height_px": 448, "steps": 12}),
        ("a --N worst --D 7 --L 5.5", {"prompt": "a", "negative_prompt": "worst", "seed": 7, "cfg_scale": 5.5}),
        ("a\t--w\t640", {"prompt": "a", "width_px": 640}),
        ("a --w=640 --l: 5.5", {"prompt": "a", "width_px": 640, "cfg_scale": 5.5}),
        ("a --w 640, --h 448,", {"prompt": "a", "width_px": 640, "height_px": 448}),
        # samplers by kohya's names and by the WebUI's
        ("a --ss euler", {"prompt": "a", "sampler": "Euler"}),
        ("a --SS K_DPM_2_A", {"prompt": "a", "sampler": "DPM2 a"}),
        ("a --ss dpmsolver++", {"prompt": "a", "sampler": "DPM++ 2M"}),
        ("a --ss Restart", {"prompt": "a", "sampler": "Restart"}),
        # dashes that were corrected, or typed on an East Asian keyboard
        ("a cat —w 640", {"prompt": "a cat", "width_px": 640}),
        ("a cat –s 12", {"prompt": "a cat", "steps": 12}),
        ("猫、夜　ーーｗ　６４０", {"prompt": "猫、夜", "width_px": 640}),
        ("猫 －－n 低品質", {"prompt": "猫", "negative_prompt": "低品質"}),
        ("猫 ——ss euler", {"prompt": "猫", "sampler": "Euler"}),
        ("猫，--w 640", {"prompt": "猫，", "width_px": 640}),
        ("猫、--n 低品質", {"prompt": "猫、", "negative_prompt": "低品質"}),
        ("cat--w 640", {"prompt": "cat", "width_px": 640}),
        # dashes that belong to the words
        ("a --very-- blue", {"prompt": "a --very-- blue"}),
        ("a -- blue --s 12", {"prompt": "a -- blue", "steps": 12}),
        ("well--known, rock--n roll", {"prompt": "well--known, rock--n roll"}),
        ("a cat —black— on a wall", {"prompt": "a cat —black— on a wall"}),
        ("スーパーー人, わーーい", {"prompt": "スーパーー人, わーーい"}),
        ("- a cat - a dog", {"prompt": "- a cat - a dog"}),
        # what a line leaves out
        ("--w 640 --n", {"width_px": 640, "negative_prompt": ""}),
        ('1girl, (solo:1.2), it\'s "on" --s 12', {"prompt": '1girl, (solo:1.2), it\'s "on"', "steps": 12}),
        # the WebUI's lines
        (
            '--prompt "a, --w b" --negative_prompt "c (d:1.2)" --steps 12 --sampler_name "DPM++ 2M" --width 640 '
            "--height 448 --cfg_scale 5.5 --seed 7",
            {
                **{"prompt": "a, --w b", "negative_prompt": "c (d:1.2)", "steps": 12, "sampler": "DPM++ 2M"},
                **{"width_px": 640, "height_px": 448, "cfg_scale": 5.5, "seed": 7},
            },
        ),
        ("--prompt a cat sits --steps 12", {"prompt": "a cat sits", "steps": 12}),
        ("--steps 12 --prompt 'a cat'", {"prompt": "a cat", "steps": 12}),
        ('--prompt "a \\(b\\), \\"c\\"" --Steps 12', {"prompt": 'a \\(b\\), "c"', "steps": 12}),
        ("——prompt “猫, 夜” ——steps １２", {"prompt": "猫, 夜", "steps": 12}),
        ('--prompt "a" --negative_prompt ""', {"prompt": "a", "negative_prompt": ""}),
        ('a cat --steps 12 --negative_prompt "x, y"', {"prompt": "a cat", "steps": 12, "negative_prompt": "x, y"}),
        ('--prompt "a" --restore_faces false --tiling false --subseed_strength 0 --styles ""', {"prompt": "a"}),
    ],
)
def test_a_line_means_what_it_says(tmp_path, line, expected):
    found = read(tmp_path, line)
    assert [changes(request) for request in found.requests] == [expected]
    assert found.remarks == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a --ar 16:9", "there is no flag --ar"),
        ("a --no-humans, b", "there is no flag --no-humans"),
        ("a --W640", "there is no flag --W640"),
        ("a --n bad --very bad", "there is no flag --very"),
        ("a --猫", "there is no flag --猫"),
        ('--prompt "a" --sampler Euler', "there is no flag --sampler"),
        ("a -w 640", "write --w for -w"),
        ("a −s 12", "write --s for −s"),
        ("a -n bad", "write --n for -n"),
        ("a --w 640 --width 640", "--width is there twice"),
        ('a cat --prompt "a dog"', "--prompt is there twice"),
        ("a --w", "--w needs a number"),
        ("a --w 640 best quality", "--w needs a number, not '640 best quality'"),
        ("a --l 5,5", "write a point for the comma in '5,5', as in 5.5"),
        ("a --H 1,024", "leave out the comma in '1,024', as in 1024"),
        ("a --s 12.5", "--s needs a number, not '12.5'"),
        ("a --d -1", "--d must be at least 0"),
        ("a --ss", "--ss needs the name of a sampler"),
        ("a --ss dpmsingle", "--ss: the WebUI has no sampler like kohya's dpmsingle; name one of the WebUI's"),
        ("--prompt it's --steps 12", "a quote in it has no end; put texts into double quotes"),
        ('--prompt "a" --tiling true', "--tiling is not possible in a preview; leave it out"),
        ('--prompt "a" --styles "anime"', "--styles is not possible in a preview; leave it out"),
        ('--prompt "a" --sampler_index 3', "--sampler_index is not possible in a preview; write --sampler_name with a"),
        ("Negative prompt: bad hands", "write --n for Negative prompt: on the line of its prompt"),
        ("a cat, negative prompt：bad", "write --n for negative prompt： on the line of its prompt"),
        ("Steps: 20, Sampler: Euler a, Seed: 1", "it has the values of an infotext; write them as flags, such as --s"),
        ("a" * 30_000, "a text is longer than 20,000 characters"),
        ("--" * 60_000, "it is longer than 100,000 characters"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, reason):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"# one\n\n{line}")
    assert str(caught.value).startswith(f"preview.prompt_file: line 3: {reason}")


def test_what_changes_nothing_is_told(tmp_path):
    found = read(tmp_path, 'a --g 3.5 --fs 2\n--prompt "b" --sd_model x.ckpt --outpath_samples "C:\\out" --n_iter 4')
    assert [request.prompt for request in found.requests] == ["a", "b"]
    assert [remark.partition(" changes nothing in a preview, as ")[0] for remark in found.remarks] == [
        "prompts.txt, line 1: --g",
        "prompts.txt, line 1: --fs",
        "prompts.txt, line 2: --sd_model",
        "prompts.txt, line 2: --outpath_samples",
        "prompts.txt, line 2: --n_iter",
    ]


@pytest.mark.parametrize("text", ["a\r\nb\r\n", "a\rb", "# x\na\n　\n＃ y\n  # z\nb", "a\n\n\nb\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_end_as_on_every_system(tmp_path, text, encoding):
    assert [request.prompt for request in read(tmp_path, text, encoding=encoding).requests] == ["a", "b"]


@pytest.mark.parametrize("codec", ["cp932", "gbk", "utf-16-le"])
def test_another_encoding_is_named(tmp_path, codec):
    with pytest.raises(SettingsError, match=r"prompts\.txt cannot be read \(it .*save it as UTF-8\)"):
        read(tmp_path, "a cat, 夜空の下の猫、星\n" * 9, encoding=codec)


TOML = """
[prompt]
width = 640
negative_prompt = "worst"
[[prompt.subset]]
prompt = "a"
[[prompt.subset]]
prompt = "b"
width = 448
sample_steps = 12
scale = 5.5
seed = 7
sample_sampler = "k_euler"
"""
SUBSETS = [
    {"prompt": "a", "width_px": 640, "negative_prompt": "worst"},
    {
        **{"prompt": "b", "width_px": 448, "negative_prompt": "worst", "steps": 12},
        **{"cfg_scale": 5.5, "seed": 7, "sampler": "Euler"},
    },
]


def test_kohyas_toml_and_json_are_read(tmp_path):
    assert [changes(request) for request in read(tmp_path, TOML, ".toml").requests] == SUBSETS
    several = [
        {"prompt": "a", "width": 640, "negative_prompt": "worst", "seed": None},
        'b --w 448 --s 12 --l 5.5 --d 7 --ss k_euler --n "worst"',
    ]
    assert [changes(request) for request in read(tmp_path, json.dumps(several), ".JSON").requests] == SUBSETS
    assert changes(*read(tmp_path, '[prompt]\nprompt = "a"', ".toml").requests) == {"prompt": "a"}


@pytest.mark.parametrize(
    ("ending", "text", "reason"),
    [
        (".json", '["a", {"promt": "b"}]', "prompt 2: there is no setting promt"),
        (".json", '[{"width": "６４０,5"}]', "prompt 1: write a point for the comma"),
        (".json", '[{"width": true}]', "prompt 1: width needs a number, not True"),
        (".json", '[{"prompt": ["a"]}]', "prompt 1: prompt must be a text, not ['a']"),
        (".json", '[{"prompt": "a", "prompt": "b"}]', "cannot be read"),
        (".json", "[3]", "prompt 1 is neither a text nor a table"),
        (".json", '{"prompt": "a"}', "it must be a list of prompts"),
        (".json", '["a --ar 2"]', "prompt 1: there is no flag --ar"),
        (".toml", "[prompts]\nprompt = 'a'", "it has 'prompts', which does not belong there"),
        (".toml", "prompt = 'a'", "prompt must be a table"),
        (".toml", "[prompt]\nsubset = 'a'", "prompt.subset must be tables"),
        (".toml", "[prompt]\nwidht = 3", "prompt 1: there is no setting widht"),
        (".toml", "", "holds no prompt"),
        (".json", "[]", "holds no prompt"),
    ],
)
def test_a_wrong_table_is_named(tmp_path, ending, text, reason):
    with pytest.raises(SettingsError, match=r"^preview\.prompt_file: ") as caught:
        read(tmp_path, text, ending)
    assert reason in str(caught.value)


def test_the_host_names_the_samplers(tmp_path):
    def find(name):
        if name.lower() != "restart":
            raise SettingsError("preview.sampler", f"must be one of Restart, not {name!r}")
        return "Restart"

    assert read(tmp_path, "a --ss RESTART", find_sampler=find).requests[0].sampler == "Restart"
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "a\nb --ss Magic", find_sampler=find)
    told = "preview.prompt_file: line 2: the sampler must be one of Restart, not 'Magic'"
    assert str(caught.value) == told


def test_a_plan_asks_the_host_for_samplers_and_tells_what_is_idle(pictures, tmp_path, caplog):
    path = tmp_path / "prompts.txt"
    path.write_text("a <lora:style:0.8><hypernet:x:1>, <3 --g 2 --ss euler\n")
    job = make_job(pictures, preview__every="6", preview__prompt_file=str(path), output__sheet=False)
    ports = replace(fake_ports(tmp_path), find_sampler=str.upper)
    plan = make_plan(job, ports)
    assert [request.sampler for request in plan.previews] == ["EULER"]
    told = [line for line in plan.lines() if "changes nothing in a preview" in line]
    assert [line.partition(" changes")[0] for line in told] == [
        "prompts.txt, line 1: --g",
        "<lora:style:0.8>",
        "<hypernet:x:1>",
    ]
    with caplog.at_level(logging.INFO):
        train(job, ports)
    assert set(told) <= {record.getMessage() for record in caplog.records}


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("a cat --w 640 --N bad", ["--w", "--N"]),
        ("猫　ーーｗ　６４０", ["ーーｗ"]),
        ("a --very-- cat --ar 2 -- b", []),
        ("a <lora:x:1> —s 5", ["<lora:x:1>"]),
    ],
)
def test_a_prompt_that_was_typed_alone_has_no_flags(pictures, tmp_path, prompt, told):
    plan = make_plan(make_job(pictures, preview__prompt=prompt), fake_ports(tmp_path))
    assert [request.prompt for request in plan.previews] == [prompt]
    assert [line.partition(" ")[0] for line in plan.remarks] == told


WORDS = st.lists(st.sampled_from(["a cat", "夜", "(b:1.2)", "--very--", "x--y", "-", "—", "it's", "ーー"]), min_size=1)
FLAGS = {
    "width_px": (("w", "width"), st.sampled_from([64, 640])),
    "steps": (("s", "steps"), st.integers(1, 1000)),
    "seed": (("d", "seed"), st.integers(0, 2**32 - 1)),
    "cfg_scale": (("l", "cfg_scale"), st.sampled_from([1.5, 7.0, 30.0])),
    "negative_prompt": (("n", "negative_prompt"), WORDS.map(" ".join)),
}


@st.composite
def lines(draw):
    """Draw a line of kohya's form in one of its spellings, with what it means."""
    words = " ".join(draw(WORDS))
    line, meaning = words, {"prompt": words}
    for field in draw(st.lists(st.sampled_from(sorted(FLAGS)), unique=True)):
        names, values = FLAGS[field]
        meaning[field] = value = draw(values)
        name = draw(st.sampled_from([name for short in names for name in (short, short.upper(), wide(short))]))
        dashes = draw(st.sampled_from(["--", "－－", "——", "—", "−−"]))
        text = draw(st.sampled_from([str(value), wide(str(value))])) if field != "negative_prompt" else value
        line += draw(st.sampled_from([" ", "\u3000", "  "])) + dashes + name + draw(st.sampled_from([" ", "\t"])) + text
    return line, meaning


def wide(text):
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


@given(lines())
@examples(300)
def test_any_spelling_of_a_line_means_the_same(tmp_path, drawn):
    line, meaning = drawn
    (request,) = read(tmp_path, line).requests
    assert request == replace(BASE, **meaning)


def test_a_picture_that_is_asked_for_meanwhile_tells_of_flags_and_tags(pictures, tmp_path):
    ports = fake_ports(tmp_path)
    network = make_plan(make_job(pictures), ports).network
    made = Previews(ports, network, (replace(BASE, width_px=64, height_px=64),), tmp_path, 0, None, nullcontext)
    made.make_one(3, "a <lora:x:1> --w 640")
    made.make_one(3, "a cat")
    assert [line.partition(" ")[0] for line in made.notes.lines] == ["--w", "<lora:x:1>"]
