"""A grammar of job files as people write, paste and save them, with what each was meant to be.

A job is put together of settings; each has its value and one of the many ways to write it. Some ways are mistakes:
those have the words of the sentence that must be said. What is meant is computed here alone, from what was chosen.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

_LAST_OF_FOUR_DIGITS = 0xFFFF
_INEXACT = 2**53
#: Where the home folder is while jobs are read.
HOME = "/home/夜"
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
#: Of a large number the point is told first.
_NO_WHOLE = "must be a whole number|with all its digits"
_ESCAPES = {
    "n": ("\n", "a line break"),
    "t": ("\t", "a tab"),
    "b": ("\b", "a backspace"),
    "f": ("\f", "a form feed"),
    "r": ("\r", "a return"),
}


@dataclass(frozen=True)
class Way:
    """A way to write a value.

    Attributes:
        toml: the text after the sign of equality.
        value: the same for JSON; a file in JSON has this setting only where `has_json`.
        means: what the setting must be.
        refused: words of the sentence that must name the setting, in place of `means`.
        broken: words of the sentence that must name the line, as the text is no TOML.
    """

    toml: str
    value: Any = None
    means: Any = None
    refused: str = ""
    broken: str = ""
    has_json: bool = True


@dataclass
class Written:
    """A file, and what must come of it: the job that is meant, or what the sentence must have.

    Attributes:
        name, content: of the file.
        means: values by `section.key`; all other settings have their defaults.
        refused: words by the setting that the sentence must name.
        broken: words that the only sentence must have, as the file cannot be read.
    """

    name: str
    content: bytes
    means: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    broken: str = ""


def _wide(text: str) -> str:
    return text.translate(_WIDE)


def _toml(text: str, rng: random.Random) -> str:
    """Return a text in one of the kinds of quotes that can hold it."""
    is_escaped = max(map(ord, text), default=0) <= _LAST_OF_FOUR_DIGITS and rng.random() < 0.2
    ways = [json.dumps(text, ensure_ascii=is_escaped)]
    if "'" not in text and "\n" not in text:
        ways.append(f"'{text}'")
    if "'''" not in text and not text.endswith("'"):
        ways.append(f"'''{text}'''")
    return rng.choice(ways)


def _both(text: str, rng: random.Random, means: Any, refused: str = "") -> Way:
    """Return a way that is a text in quotes in either language."""
    return Way(_toml(text, rng), text, means, refused)


def whole(rng: random.Random, low: int, high: int, step: int = 1) -> Way:
    """Return a whole number."""
    number = rng.randrange(low, high + 1, step)
    ways = [
        Way(str(number), number, number),
        Way(f"+{number}", number, number),
        Way(f"{number}.0", float(number), number)
        if number < _INEXACT
        else Way(f"{number}.0", float(number), refused="with all its digits"),
        Way(hex(number), number, number),
        Way(_wide(str(number)), number, number),
        Way(f"{number:_}", number, number),
        _both(str(number), rng, number),
        _both(_wide(str(number)), rng, number),
        _both(f" {number}　", rng, number),
        _both(f"{number}px", rng, None, "must be a number"),
        _both(f"{number}.5", rng, None, _NO_WHOLE),
        _both("", rng, None, "must be a number, not empty"),
        _both(f"{number}%", rng, None, _NO_WHOLE),
        Way("true", True, refused="not True"),
        Way(f"[{number}]", [number], refused="must be a number"),
        Way("{}", {}, refused="must be a number"),
        Way(f"{number}px", broken="in single quotes", has_json=False),
        Way("", broken="has no value", has_json=False),
        Way("null", broken="has no value", has_json=False),
    ]
    if number >= 1000:
        ways += [
            _both(f"{number:,}", rng, None, "leave out the comma"),
            Way(f"{number:,}", broken="leave out the comma", has_json=False),
        ]
    return rng.choice(ways)


def share(rng: random.Random) -> Way:
    """Return a number from 0 to 0.5."""
    percent = rng.randrange(1, 51)
    number = percent / 100
    text = str(number)
    return rng.choice(
        [
            Way(text, number, number),
            Way(f"{percent}e-2", number, number),
            Way(_wide(text), number, number),
            _both(text, rng, number),
            _both(text.lstrip("0"), rng, number),
            _both(_wide(text), rng, number),
            _both(f"{percent}%", rng, number),
            _both(f"{percent}％", rng, number),
            _both(text.replace(".", ","), rng, None, f"write a point for the comma .*as in {text}"),
            _both(text.replace(".", "，"), rng, None, f"write a point for the comma .*as in {text}"),
            _both("half", rng, None, "must be a number, not 'half'"),
            Way("nan", float("nan"), refused="must be a finite number"),
            Way("-0.1", -0.1, refused="must be at least 0"),
            Way(text.replace(".", ","), broken=f"write a point for the comma .*as in {text}", has_json=False),
            Way(f"{percent}%", broken="in single quotes", has_json=False),
        ]
    )


_NO_TOML = {True: ["True", "yes", "On"], False: ["False", "no", "OFF"]}


def flag(rng: random.Random) -> Way:
    """Return true or false."""
    on = rng.random() < 0.5
    words = ["true", "yes", "on", "1", "True", "YES", "ｏｎ"] if on else ["false", "no", "off", "0", "False", "ＯＦＦ"]
    right = "true" if on else "false"
    return rng.choice(
        [
            Way(right, on, on),
            Way(_wide(right), on, on),
            Way(str(int(on)), int(on), on),
            _both(rng.choice(words), rng, on),
            _both("perhaps", rng, None, "must be true or false"),
            Way("2", 2, refused="must be true or false"),
            Way("[true]", [True], refused="must be true or false"),
            Way(rng.choice(_NO_TOML[on]), broken=f"write {right} for", has_json=False),
        ]
    )


_TEXTS = ("night", "a night, ink", "夜の絵、墨", "１２、“three”", "it's", 'say "x"')
_ODD_TEXTS = ("#1", "ñandú 🌙", "c:\\x", "= 5", "名　前", "[data]", "ー")


def text(rng: random.Random) -> Way:
    """Return a text of any signs."""
    chosen = rng.choice(_TEXTS + _ODD_TEXTS)
    plain = rng.choice(["night", "夜"])
    opened, closed = rng.choice(["“”", "‘’", "「」", "＂＂", "„“"])
    return rng.choice(
        [
            *[_both(chosen, rng, chosen)] * 4,
            _both(f" {chosen} ", rng, chosen),
            Way("12", 12, "12"),
            Way("1.10", means="1.10", has_json=False),
            Way("1e3", means="1e3", has_json=False),
            Way("true", True, refused="must be a text, not True"),
            Way("2024-05-01", refused="must be a text; put 2024-05-01 in quotes", has_json=False),
            Way("['night']", ["night"], refused="must be a text"),
            Way(f"{opened}{plain}{closed}", broken=f"the quote {opened} is of a web page", has_json=False),
            Way(plain, broken=f"put {plain} in single quotes", has_json=False),
        ]
    )


def layers(rng: random.Random) -> Way:
    """Return a list of numbers."""
    inner = [rng.choice([1, 2, 1.5, 0.5]) for _ in range(rng.randrange(1, 4))]
    numbers = [1, *inner, 1]
    means = tuple(map(float, numbers))
    listed = ", ".join(map(str, numbers))
    return rng.choice(
        [
            Way(f"[{listed}]", numbers, means),
            Way(f"[{listed},]", numbers, means),
            Way(f"［{listed.replace(', ', '、')}］", numbers, means),
            _both(listed, rng, means),
            _both(listed.replace(", ", "，"), rng, means),
            _both(_wide(listed.replace(" ", "")).replace("，", "、"), rng, means),
            _both(f"({listed})", rng, means),
            _both(listed.replace(",", ""), rng, means),
            _both(listed.replace(", ", "; "), rng, means),
            _both("one, two", rng, None, "must be a number"),
            Way("{}", {}, refused="must be a list of numbers"),
            Way(listed, broken="in brackets", has_json=False),
        ]
    )


def rate(rng: random.Random) -> Way:
    """Return a learning rate; what is meant is a number, as the text stays as it was written."""
    number = rng.choice([0.005, 0.00001, 2e-4, 0.5])
    plain = f"{number:f}".rstrip("0")
    return rng.choice(
        [
            Way(plain, number, number),
            Way(f"{number:e}", number, number),
            Way(_wide(plain), number, number),
            _both(plain, rng, number),
            _both(_wide(plain), rng, number),
            _both(f"{number:e}", rng, number),
            _both(f"{plain}:100000000", rng, number),
            _both(_wide(f"{plain}:100000000"), rng, number),
            _both(plain.replace(".", ","), rng, None, "comma"),
            _both("fast", rng, None, "no learning rate"),
            Way(plain.replace(".", ","), broken="comma", has_json=False),
        ]
    )


_FOLDERS = ("pics", "night pics", "夜の絵", "「夜」", "a/b", "100%", "it's", "x.y", "🌙", "¥1000", "a　b")


#: Behind a drive it is a backslash.
_YEN = "¥"
_NO_ESCAPES = ("pics", "Users", "data", "夜")


def path(rng: random.Random, folder: Path) -> Way:
    """Return a folder or file; a relative one counts from `folder`."""
    name = rng.choice(_FOLDERS)
    escape, (sign, said) = rng.choice(list(_ESCAPES.items()))
    near, root = f"{folder}/{name}", f"/data/{name}"
    unseen = rng.choice("\u200b\u200e\u202a\ufeff\u2060")
    blank = rng.choice(" \u3000\u00a0")
    away = f"{HOME}/{name}"
    letter = rng.choice("CDz")
    ways = [
        _both(name, rng, near),
        _both(root, rng, root),
        _both(f"./{name}", rng, near),
        _both(f"{name}/", rng, near),
        _both(f"{blank}{name}{blank}", rng, near),
        _both(f'"{name}"', rng, near),
        _both(f'"{root}"', rng, root),
        _both(f"“{name}”", rng, near),
        _both(f' "{root}" ', rng, root),
        _both(f"{unseen}{root}{unseen}", rng, root),
        _both(f"file://{quote(root)}", rng, root),
        _both(f"file://localhost{quote(root)}", rng, root),
        _both(f"~/{name}", rng, away),
        _both(f"～/{name}", rng, away),
        _both(f"$HOME/{name}", rng, away),
        _both(f"${{HOME}}/{name}", rng, away),
        _both(f"%USERPROFILE%\\{name}", rng, away),
        _both(f"$env:USERPROFILE\\{name}", rng, away),
        _both(f"x\\{name}", rng, f"{folder}/x/{name}"),
        _both(f"{letter}:\\{name}", rng, None, "is a path of Windows"),
        _both(f"{letter}:/{name}", rng, None, "is a path of Windows"),
        _both(f"{letter}:¥{name}", rng, None, "is a path of Windows"),
        _both(f"\\\\nas\\{name}", rng, None, "is a path of Windows"),
        _both(f"file:///{letter}:/{quote(name)}", rng, None, "is a path of Windows"),
        _both(f"file://nas/{quote(name)}", rng, None, "is on another computer, nas"),
        _both(f"https://x.org/{quote(name)}", rng, None, "is an address of a network"),
        _both(f"a{unseen}{name}", rng, None, rf"cannot be seen, U\+{ord(unseen):04X}"),
        _both(f'"{root}', rng, None, "a quote at one end alone"),
        _both(f'"{root}" "{near}"', rng, None, "names several paths"),
        _both(f"$NOWHERE/{name}", rng, None, r"the variable \$NOWHERE in it"),
        _both(f"~nobody_at_all/{name}", rng, None, "there is no such home folder"),
        _both(f"{letter}:{name.lstrip(_YEN)}", rng, None, "has no backslash behind its drive"),
        # A backslash in double quotes: some letters make another sign of it, others nothing that TOML knows.
        Way(f'"x\\{escape}ew"', f"x{sign}ew", refused=said),
        Way(f'"{letter}:\\{rng.choice(_NO_ESCAPES)}"', broken="a backslash in double quotes", has_json=False),
        Way(f'"{letter}:\\pics\\"', broken="a backslash in double quotes", has_json=False),
        Way(f"“{name}”", broken="the quote “ is of a web page", has_json=False),
    ]
    return rng.choice(ways)


def _settings(folder: Path) -> dict[str, Callable[[random.Random], Way]]:
    def of_path(rng: random.Random) -> Way:
        return path(rng, folder)

    return {
        "network.file": of_path,
        "network.layer_structure": layers,
        "data.folder": of_path,
        "data.template_file": of_path,
        "data.width": lambda rng: whole(rng, 64, 2048, 8),
        "data.batch_size": lambda rng: whole(rng, 1, 256),
        "data.flip": flag,
        "data.tag_dropout": share,
        "data.caption_prefix": text,
        "schedule.rate": rate,
        "loss.noise_offset": share,
        "train.max_steps": lambda rng: whole(rng, 1, 100_000),
        "train.seed": lambda rng: whole(rng, 0, 2**63 - 1),
        "train.validation_share": share,
        "preview.prompt": text,
        "preview.prompt_file": of_path,
        "output.overwrite": flag,
        "output.dir": of_path,
    }


#: Names that are nearly those of a setting, with what the sentence must suggest.
_MISNAMED = {
    "train.max_step": "do you mean max_steps?",
    "train.Max-Steps": "do you mean max_steps?",
    "train.batch_size": "do you mean data.batch_size?",
    "train.learning_rate": "do you mean schedule.rate?",
    "data.foldr": "do you mean folder?",
    "data.shuffle_caption": "do you mean data.shuffle_tags?",
    "output.nmae": "do you mean name?",
}
_MISNAMED_SECTIONS = {
    "Train": "train",
    "OUTPUT": "output",
    "dataset": "data",
    "previews": "preview",
    "optimiser": "optimizer",
}
_COMMENTS = ("", "", "", " # 夜", "  # “x” = 5", "# [data]", " #")
_EQUALS = ("=", " = ", " =", "\t=\t", "　=　", "＝", " ＝ ", "\u00a0= ")
_HEADERS = ("[{}]", "[ {} ]", "［{}］", "[{}] # 夜", "  [{}]")
_ENDS = ("\n", "\n", "\r\n", "\r")
#: Encodings that tell what they are, with the marks that editors put before them.
_ENCODINGS = (("utf-8", ""),) * 6 + (
    ("utf-8", "\ufeff"),
    ("utf-16-le", "\ufeff"),
    ("utf-16-be", "\ufeff"),
    ("utf-32-le", "\ufeff"),
)
#: Those that do not, with what the sentence must say.
_UNTOLD = {
    "cp932": "looks like Japanese text in Shift-JIS; save it as UTF-8",
    "gbk": "it is not UTF-8; it looks like",
    "utf-16-le": "UTF-16 without a byte order mark; save it as UTF-8",
    "utf-16-be": "UTF-16 without a byte order mark; save it as UTF-8",
}


def write_job(seed: int, folder: Path) -> Written:
    """Return the job file of a seed, to be read as if it lay in `folder`."""
    rng = random.Random(seed)
    settings = _settings(folder)
    names = [name for name in settings if rng.random() < 0.35]
    ways = {name: settings[name](rng) for name in names}
    if rng.random() < 0.9:  # most files have no mistake, or one
        wrong = [name for name, way in ways.items() if way.refused or way.broken]
        for name in wrong[1:] if rng.random() < 0.4 else wrong:
            del ways[name]
    broken = [name for name, way in ways.items() if way.broken]
    for name in broken[1:]:  # the parser tells of the first alone
        del ways[name]
    for needed, value in (("data.folder", "/data/pics"), ("output.name", "night")):
        if needed not in ways:
            ways[needed] = Way(json.dumps(value), value, value)
    misnamed = dict(rng.sample(sorted(_MISNAMED.items()), 1)) if rng.random() < 0.06 else {}
    if rng.random() < 0.15 and not any(way.broken for way in ways.values()):
        return _in_json(ways, misnamed, rng)
    return _in_toml(ways, misnamed, rng)


def _in_json(ways: dict[str, Way], misnamed: dict[str, str], rng: random.Random) -> Written:
    tables: dict[str, Any] = {}
    for name in [*ways, *misnamed]:
        section, _, key = name.partition(".")
        way = ways.get(name, Way("1", 1))
        if way.has_json:
            tables.setdefault(section, {})[key] = way.value
    kept = {name: way for name, way in ways.items() if way.has_json}
    for name, value in (("data.folder", "/data/pics"),):
        if name not in kept:
            tables.setdefault("data", {})["folder"] = value
            kept[name] = Way("", value, value)
    text = json.dumps(tables, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 2]))
    written = Written(rng.choice(["job.json", "job.JSON", "job.toml"]), b"")
    _expect(written, kept, misnamed)
    _encode(written, text, rng)
    return written


def _in_toml(ways: dict[str, Way], misnamed: dict[str, str], rng: random.Random) -> Written:
    lines: list[str] = []
    written = Written("job.toml", b"")
    sections = list(dict.fromkeys(name.partition(".")[0] for name in [*ways, *misnamed]))
    rng.shuffle(sections)
    place = 0
    for section in sections:
        lines += rng.choice([[], [""], ["# 夜"], ["", "#x", ""]])
        lines.append(rng.choice(_HEADERS).format(section))
        for name in [name for name in [*ways, *misnamed] if name.startswith(f"{section}.")]:
            way = ways.get(name, Way("1"))
            lines.append(f"{name.partition('.')[2]}{rng.choice(_EQUALS)}{way.toml}{rng.choice(_COMMENTS)}")
            place = len(lines) if way.broken else place
    _expect(written, ways, misnamed)
    broken = next((way.broken for way in ways.values() if way.broken), "")
    if broken:
        written.broken = rf"the job file is no TOML: line {place}: .*{broken}"
    else:
        _spoil(written, lines, rng)
    ends = [rng.choice(_ENDS)] * 2 if rng.random() < 0.9 else ["\n", "\r\n"]
    text = "".join(f"{line}{rng.choice(ends)}" for line in lines)
    _encode(written, text.rstrip("\r\n") if rng.random() < 0.3 else text, rng)
    return written


def _expect(written: Written, ways: dict[str, Way], misnamed: dict[str, str]) -> None:
    written.refused = {name: way.refused for name, way in ways.items() if way.refused} | misnamed
    written.means = {name: way.means for name, way in ways.items() if not way.refused and not way.broken}


def _spoil(written: Written, lines: list[str], rng: random.Random) -> None:
    """Put a mistake of a whole line into a few files."""
    kind = rng.random()
    entries = [line for line in lines if "=" in line and not line.lstrip().startswith("#")]
    if kind < 0.02:
        twice = rng.choice(entries)
        lines.insert(lines.index(twice) + 1, twice)
        written.broken = rf"line {lines.index(twice) + 2}: .* is there for the second time"
    elif kind < 0.03:
        lines += ["[data]", "x = 1"]
        written.broken = rf"line {len(lines) - 1}: \[data\] is there for the second time"
    elif kind < 0.06:
        name, meant = rng.choice(sorted(_MISNAMED_SECTIONS.items()))
        lines += [f"[{name}]", "x = 1"]
        written.refused[name] = f"do you mean {meant}?"
    elif kind < 0.07:
        lines.insert(0, "max_steps = 5")
        written.refused["max_steps"] = r"belongs into \[train\], as max_steps"


def _encode(written: Written, text: str, rng: random.Random) -> None:
    codec, mark = rng.choice(_ENCODINGS)
    untold = rng.choice(sorted(_UNTOLD))
    if rng.random() < 0.06 and _fits(f"# 夜の絵、練習用\n{text}", untold):
        text = f"# 夜の絵、練習用\n{text}"
        codec, mark = untold, ""
        written.broken = _UNTOLD[untold]
    written.content = (mark + text).encode(codec)


def _fits(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def all_jobs(count: int, folder: Path) -> Sequence[Written]:
    """Return the first `count` jobs."""
    return [write_job(seed, folder) for seed in range(count)]
