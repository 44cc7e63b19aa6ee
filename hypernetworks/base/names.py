"""Names of networks: in any language, without what a file system or the prompt syntax refuses; and printable texts."""

from __future__ import annotations

import unicodedata

from .errors import SettingsError

#: Refused by Windows in file names, or part of the prompt syntax.
_FORBIDDEN = '<>:"/\\|?*,()[]{}'
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_MAX_BYTES = 200
_ENDINGS = (".pt", ".safetensors", ".ckpt", ".hns")


#: Invisible characters that names of several scripts and emoji need.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Return a text from outside in one line, with U+FFFD for half signs and for what steers a terminal."""
    if text.isprintable():
        return text
    return "".join(sign if is_shown(sign) else "\ufffd" for sign in text)


def is_shown(sign: str) -> bool:
    """Tell whether a sign can stand in a line: blanks of every width and emoji that Python does not know yet can."""
    if sign.isprintable() or sign in _JOINERS:
        return True
    return unicodedata.category(sign) == "Zs" or "\U0001f000" <= sign <= "\U0001faff"


def ended(name: str, ending: str) -> str:
    """Return a name with an ending, cut before it where the whole would be too long for a name."""
    room = _MAX_BYTES - len(ending.encode())
    return name.encode()[:room].decode(errors="ignore").rstrip(" .") + ending


def check_name(name: str, field: str = "name") -> str:
    """Return `name` if it can be the name of a network's file and of a prompt tag.

    Raises:
        SettingsError: it cannot; names `field`.
    """
    if not name:
        raise SettingsError(field, "give the network a name")
    bad = sorted({letter for letter in name if letter in _FORBIDDEN or not letter.isprintable()})
    if bad:
        shown = " ".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in bad)
        raise SettingsError(field, f"must not contain {shown}")
    if name != name.strip() or name[0] == "." or name[-1] == ".":
        raise SettingsError(field, "must not start or end with a space or a dot")
    if name.split(".", maxsplit=1)[0].lower() in _RESERVED:
        raise SettingsError(field, f"{name} is reserved by Windows; choose another name")
    ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), None)
    if ending:
        raise SettingsError(field, f"must be without the ending {ending}, which the file gets by itself")
    if name.lower() == "none":
        raise SettingsError(field, "None means no network in the WebUI; choose another name")
    if len(name.encode()) > _MAX_BYTES:
        raise SettingsError(field, f"must be at most {_MAX_BYTES} bytes long")
    return name
