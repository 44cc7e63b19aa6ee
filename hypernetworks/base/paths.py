"""Paths as people type and paste them: in quotes, as addresses, with a home folder, with marks that nobody sees.

Every path that a person may have typed is read here, so that the same text means the same place everywhere. Only the
text is looked at, never the disk.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from urllib.parse import unquote

from .errors import PathTextError
from .outside import shown

_IS_WINDOWS = os.name == "nt"
_BLANKS = " \u3000\u00a0\u202f\u205f" + "".join(map(chr, range(0x2000, 0x200B)))
#: Marks without a picture: zero-width ones, and those of the direction of writing, which Windows' properties add.
_UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\u00ad"
#: Two of them join letters and pictures, so inside a name they are part of it.
_JOINERS = "\u200c\u200d"
_HIDDEN = re.compile(f"[{''.join(set(_UNSEEN) - set(_JOINERS))}]")
#: Quotes with what may end them. Names of folders begin with Japanese ones.
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”“", "”": "”", "„": "“”", "‘": "’", "＂": "＂"}
#: No name has these at one end alone; many begin with an apostrophe.
_ONLY_QUOTES = '"“„'
_SEVERAL = re.compile(r"[\"”“]\s+[\"“”]")
_CONTROL = re.compile(r"[\0-\x1f\x7f\x85\u2028\u2029]")
_ESCAPES = {
    "\b": ("a backspace", "\\b"),
    "\t": ("a tab", "\\t"),
    "\n": ("a line break", "\\n"),
    "\f": ("a form feed", "\\f"),
    "\r": ("a return", "\\r"),
    "\x1b": ("an escape character", "\\e"),
}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_FILE_URL = re.compile(r"file:(?://(?P<computer>[^/\\]*)(?=[/\\]|$))?(?P<file>[/\\].*)?", re.IGNORECASE)
#: Before a drive, or before the two slashes of another computer.
_LEADING = re.compile(r"^[/\\]+(?=[A-Za-z]:[/\\]|[/\\]{2}[^/\\])")
#: Japanese and Korean keyboards, fonts and web pages have a currency sign in the place of the backslash.
_DRIVE = re.compile(r"([A-Za-zＡ-Ｚａ-ｚ])[:：]([\\/¥￥₩￦＼／])")
_CURRENCY_SHARE = re.compile(r"([¥￥₩￦])\1(?=\w)")
_BARE_DRIVE = re.compile(r"[A-Za-z]:")
_DRIVE_ALONE = re.compile(r"[A-Za-z]:(?![\\/])")
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_LONG_PATHS = re.compile(r"\\\\[?.]\\(UNC\\)?", re.IGNORECASE)
_LONGEST_PLAIN = 259
_VARIABLE = re.compile(
    r"(?<![^/\\])(?:(?:%HOMEDRIVE%)?%(\w+)%|\$(?:env:)?(\w+)|\$\{(?:env:)?(\w+)\})(?![^/\\])", re.IGNORECASE
)
#: Only variables of a person's own folders: a request from outside must not read others.
_HOMES = {"HOME", "USERPROFILE", "HOMEPATH"}
_PERSONS = {"USER", "USERNAME"}
_FOLDERS = {"APPDATA", "LOCALAPPDATA", "ONEDRIVE", "PUBLIC", "TEMP", "TMP", "TMPDIR", "XDG_DATA_HOME"}
_HOME = re.compile(r"[~～](\w[\w.-]*)?(?=[/\\]|$)")
_SHELL_ESCAPE = re.compile(r"\\([ ()&;!'\[\]])")
#: A full-width bar is allowed in a name on Windows, so it counts only before an option.
_BAR = re.compile(r"\||｜(?=\s*\w+\s*[=＝])")


def read_path(text: str) -> str:
    """Return the path that a text means, as the system writes it; a relative one stays relative.

    Reading the result again gives the same.

    Raises:
        PathTextError: it cannot be a path here; the reason tells why, and what to write.
    """
    path = _bare(text)
    _check_signs(path)
    path = _of_address(path)
    path = _of_system(_with_backslashes(path))
    path = _with_home(_VARIABLE.sub(_variable, path))
    _check_signs(path)
    return path


def path_argument(text: str) -> Path:
    """Return the path of an argument of a command line, as the `type` of an argparse argument."""
    try:
        return Path(read_path(text))
    except PathTextError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def read_line(line: str) -> str:
    """Return a line such as `cats | num_repeats=2` with its path as `read_path` returns it."""
    path, options = split_line(line)
    return f"{read_path(path)} {options}".strip()


def split_line(line: str) -> tuple[str, str]:
    """Return the path of a line such as `cats | num_repeats=2`, as it stands, and its options with their bar."""
    bar = _BAR.search(line)
    return (line[: bar.start()], line[bar.start() :]) if bar else (line, "")


def _bare(text: str) -> str:
    """Return the text without what stands around a path: blanks, unseen marks, and a pair of quotes."""
    while True:
        path = text.strip(_BLANKS + _UNSEEN)
        if _SEVERAL.search(path):
            raise PathTextError(f"names several paths, {shown(path)}; it must be one")
        if len(path) < len('""') or path[-1] not in _QUOTES.get(path[0], ""):
            if path and (path[0] in _ONLY_QUOTES or path[-1] == '"'):
                raise PathTextError(f"has a quote at one end alone: {shown(path)}")
            return path
        text = path[1:-1]


def _check_signs(path: str) -> None:
    found = list(dict.fromkeys(_CONTROL.findall(path)))
    if "\0" in found:
        raise PathTextError("must not have the character NUL in it, as no path has it")
    if any("\ud800" <= sign <= "\udfff" for sign in path):
        raise PathTextError("has a name in it that is not UTF-8, and that no job file can hold; rename that folder")
    escapes = [_ESCAPES[one] for one in found if one in _ESCAPES]
    if escapes:
        names, marks = (" and ".join(several) for several in zip(*escapes, strict=True))
        advice = "write / for each backslash, or put the path in single quotes"
        raise PathTextError(f"has {names} in it, which in double quotes is what {marks} means; {advice}")
    unseen = found or _HIDDEN.findall(path)
    if unseen:
        code = f"U+{ord(unseen[0]):04X}"
        raise PathTextError(f"has a character in it that cannot be seen, {code}; type it anew, or rename what has it")


def _of_address(path: str) -> str:
    """Return the path of a `file:` address, and any other path as it is."""
    found = _FILE_URL.fullmatch(path)
    if found and (found["file"] or found["computer"]):
        place, computer = unquote(found["file"] or ""), unquote(found["computer"] or "")
        if _BARE_DRIVE.fullmatch(computer):  # file://C:/x, which is one slash short
            return computer + place
        if computer.lower() in ("", "localhost"):
            return _LEADING.sub("", place)
        if _IS_WINDOWS:
            return f"\\\\{computer}{place}"
        raise PathTextError(f"is on another computer, {computer}; write where its folder is mounted here")
    if _URL.match(path):
        raise PathTextError(f"is an address of a network, {shown(path)}, and not a place on this computer")
    return path


def _with_backslashes(path: str) -> str:
    """Return a path of Windows with the signs of ASCII after its drive and between its parts."""
    drive = _DRIVE.match(path)
    if drive:
        letter, sign = drive.groups()
        rest = path[len("C:") :]
        if sign not in "/\\":
            rest = rest.replace(sign, "/" if sign == "／" else "\\")
        return f"{letter if letter.isascii() else chr(ord(letter) - 0xFEE0)}:{rest}"
    share = _CURRENCY_SHARE.match(path)
    return path.replace(share[1], "\\") if share else path


def _variable(found: re.Match[str]) -> str:
    """Return the value of a variable; one in the middle of a path that is none of a person's folders stays."""
    name = next(filter(None, found.groups())).upper()
    if name in _HOMES:
        return str(Path("~").expanduser())
    value = os.environ.get(name, "") if name in _FOLDERS else ""
    if name in _PERSONS:
        value = os.environ.get("USER") or os.environ.get("USERNAME") or ""
    if not value and (found.start() == 0 or name in _FOLDERS | _PERSONS):
        raise PathTextError(f"has the variable {found[0]} in it, which is not known here; write the path out")
    return value or found[0]


def _with_home(path: str) -> str:
    home = _HOME.match(path)
    if not home:
        return path
    try:
        folder = Path(f"~{home[1] or ''}").expanduser()
    except RuntimeError:
        reason = f"begins with {home[0]}, and there is no such home folder; write ./{home[0]} for a name"
        raise PathTextError(reason) from None
    return f"{folder}{path[home.end() :]}"


def _of_system(path: str) -> str:
    """Return the path with the separators of this system; raises PathTextError for one of another system."""
    long = _LONG_PATHS.match(path)
    if long and len(path) <= _LONGEST_PLAIN:
        path = ("\\\\" if long[1] else "") + path[long.end() :]
    if _DRIVE_ALONE.match(path):
        raise PathTextError(f"has no backslash behind its drive: {shown(path)}; write {path[:2]}\\")
    if _IS_WINDOWS:
        return path
    if _OF_WINDOWS.match(path):
        raise PathTextError(f"is a path of Windows, {shown(path)}, and this system has no such place")
    path = _SHELL_ESCAPE.sub(r"\1", path)
    return path if path.startswith("/") else path.replace("\\", "/")
