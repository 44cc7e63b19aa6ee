"""Paths as people type and paste them."""

import argparse
import os
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base import paths
from hypernetwork_workbench.hypernetworks.base.errors import PathTextError
from hypernetwork_workbench.hypernetworks.base.paths import path_argument, read_line, read_path, split_line
from hypothesis import given
from hypothesis import strategies as st

HOME = "/home/夜"
ON_ANY = [
    ("/data/pics", "/data/pics"),
    ("pics/night", "pics/night"),
    ('"/data/my pics"', "/data/my pics"),
    ("'/data/my pics'", "/data/my pics"),
    ("“/data/my pics”", "/data/my pics"),
    ("＂/data/pics＂", "/data/pics"),
    ('  "/data/pics" ', "/data/pics"),
    ("/data/pics ", "/data/pics"),
    ("\u3000/data/pics\u3000", "/data/pics"),
    ("\u202a/data/pics", "/data/pics"),
    ("/data/pics\u200b\ufeff", "/data/pics"),
    ("~/pics", f"{HOME}/pics"),
    ("～/pics", f"{HOME}/pics"),
    ("$HOME/pics", f"{HOME}/pics"),
    ("${HOME}/pics", f"{HOME}/pics"),
    ("%USERPROFILE%/pics", f"{HOME}/pics"),
    ("%HOMEDRIVE%%HOMEPATH%/pics", f"{HOME}/pics"),
    ("$env:USERPROFILE/pics", f"{HOME}/pics"),
    ("/home/$USER/pics", "/home/夜/pics"),
    ("file:///data/x%20y", "/data/x y"),
    ("file://localhost/data/%E5%A4%9C", "/data/夜"),
    ("FILE:/data", "/data"),
    ("/data/「夜」の絵", "/data/「夜」の絵"),
    ("「夜」", "「夜」"),
    ("'til dawn", "'til dawn"),
    ("100%_cats/¥1000/a%20b", "100%_cats/¥1000/a%20b"),
    ("/data/👩\u200d🎨", "/data/👩\u200d🎨"),
    ("/data/%cats%/$x.y", "/data/%cats%/$x.y"),
    ("", ""),
    ('""', ""),
]
ON_WINDOWS = [
    (r"C:\Users\me", r"C:\Users\me"),
    ('"C:\\my pics"', r"C:\my pics"),
    ("C:¥Users¥me", r"C:\Users\me"),
    ("Ｃ：￥Users￥me", r"C:\Users\me"),
    ("D:₩pics", r"D:\pics"),
    ("¥¥nas¥pics", r"\\nas\pics"),
    (r"\\nas\pics", r"\\nas\pics"),
    (r"\\?\C:\pics", r"C:\pics"),
    (r"\\?\UNC\nas\pics", r"\\nas\pics"),
    ("file:///C:/x%20y", "C:/x y"),
    ("file://C:/x", "C:/x"),
    ("file://nas/x", r"\\nas/x"),
    (r"pics\night", r"pics\night"),
    ("\u202aD:\\pics", r"D:\pics"),
    (r"C:\Users\%USERNAME%\pics", r"C:\Users\夜\pics"),
]
ON_OTHERS = [
    (r"pics\night", "pics/night"),
    (r"~\pics", f"{HOME}/pics"),
    (r"%USERPROFILE%\pics", f"{HOME}/pics"),
    (r"my\ pics", "my pics"),
    (r"/data/my\ pics\ \(1\)", "/data/my pics (1)"),
]
REFUSED = [
    ("D:\new\train", r"has a line break and a tab in it, .* \\n and \\t means"),
    ("D:\bilder", "has a backspace in it"),
    ("\train", "has a tab in it"),
    ("/data/pics\n", "has a line break in it"),
    ("/data/\x1b[31m", "has an escape character in it"),
    ("a\0b", "the character NUL"),
    ("/data/\u200bpics", r"cannot be seen, U\+200B"),
    ("/data/\u202epics", r"cannot be seen, U\+202E"),
    ("/data/\x85pics", r"cannot be seen, U\+0085"),
    ("/data/%USERPROFILE\u2028", r"cannot be seen, U\+2028"),
    ('"/data', "a quote at one end alone"),
    ('C:/pics"', "a quote at one end alone"),
    ('"/a" "/b"', "names several paths"),
    ("https://example.com/pics.zip", "an address of a network"),
    ("smb://nas/pics", "an address of a network"),
    ("$PICTURES/x", r"the variable \$PICTURES in it, which is not known here"),
    ("%PICTURES%\\x", "the variable %PICTURES% in it"),
    ("$TMPDIR/x", "the variable"),
    ("~nobody_of_this_name/x", "no such home folder"),
    ("file:///data/%00", "the character NUL"),
    ("file:///data/%0a", "has a line break"),
    ("D:", "has no backslash behind its drive"),
    ("D:Ax", "has no backslash behind its drive"),
]
REFUSED_ON_OTHERS = [
    (r"C:\pics", "is a path of Windows"),
    ("c:/pics", "is a path of Windows"),
    (r"\\nas\pics", "is a path of Windows"),
    ("C:¥pics", "is a path of Windows"),
    ("file:///C:/pics", "is a path of Windows"),
    ("file://nas/pics", "is on another computer, nas"),
]


@pytest.fixture(params=[False, True], ids=["posix", "windows"])
def is_windows(request, monkeypatch):
    monkeypatch.setattr(paths, "_IS_WINDOWS", request.param)
    monkeypatch.setenv("HOME", HOME)
    monkeypatch.setenv("USERPROFILE", HOME)
    monkeypatch.setenv("USER", "夜")
    for name in ("TMPDIR", "PICTURES"):
        monkeypatch.delenv(name, raising=False)
    return request.param


def test_a_path_is_what_somebody_meant(is_windows):
    for text, path in [*ON_ANY, *(ON_WINDOWS if is_windows else ON_OTHERS)]:
        assert read_path(text) == path, text
        assert read_path(path) == path, text


def test_what_is_no_path_here_is_refused_with_the_cause(is_windows):
    for text, reason in [*REFUSED, *([] if is_windows else REFUSED_ON_OTHERS)]:
        with pytest.raises(PathTextError, match=reason):
            read_path(text)


@pytest.mark.skipif(os.name == "nt", reason="the home folder is not that of HOME")
def test_the_folders_of_a_person_are_known_and_no_other_variable(monkeypatch):
    monkeypatch.setenv("HOME", HOME)
    monkeypatch.setenv("TMPDIR", "/scratch")
    monkeypatch.setenv("SECRET", "hidden")
    assert read_path("$TMPDIR/x") == "/scratch/x"
    for text in ("$SECRET/x", "%SECRET%/x", "${SECRET}"):
        with pytest.raises(PathTextError) as caught:
            read_path(text)
        assert "hidden" not in str(caught.value)
    assert read_path("/a/$SECRET") == "/a/$SECRET"


@given(
    st.lists(st.sampled_from([*"ab/\\\"'~%$: 　.“”¥", "file:", "//", "C:", "HOME", "\u200b", "%20", "夜"]), max_size=8)
)
def test_a_path_that_was_read_is_read_as_itself(parts):
    try:
        found = read_path("".join(parts))
    except PathTextError:
        return
    if not Path(found).is_absolute():
        return  # what a settings class is given; absolute ones may have been read twice
    assert read_path(found) == found


@pytest.mark.parametrize(
    ("line", "path", "options"),
    [
        ("cats | num_repeats=2", "cats ", "| num_repeats=2"),
        ('"my cats"｜num_repeats＝2', '"my cats"', "｜num_repeats＝2"),
        ("猫｜犬", "猫｜犬", ""),
        ("cats", "cats", ""),
    ],
)
def test_a_line_is_a_path_and_its_options(line, path, options):
    assert split_line(line) == (path, options)
    assert read_line(line) == f"{read_path(path)} {options}".strip()


@pytest.mark.parametrize(
    ("text", "path"), [('"/data/job.toml"', "/data/job.toml"), ("file:///data/a%20b", "/data/a b")]
)
def test_an_argument_of_a_command_line_is_read_too(text, path):
    assert path_argument(text) == Path(path)
    with pytest.raises(argparse.ArgumentTypeError, match="a quote at one end alone"):
        path_argument(path + '"')


@pytest.mark.parametrize("name", [b"caf\xe9", "夜".encode("cp932"), b"\xff\xfe"])
def test_a_name_that_is_no_utf_8_is_refused(name):
    with pytest.raises(PathTextError, match="a name in it that is not UTF-8"):
        read_path(f"/x/{name.decode(errors='surrogateescape')}/y")
