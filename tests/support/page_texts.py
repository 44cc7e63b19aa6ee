"""The texts of our tabs: those a person sees when the page opens, and those that the code may show later."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from tests import sources

#: Texts in the props of gradio's components, by the kind of component where it matters.
_PROPS = ("label", "info", "placeholder", "webui_tooltip")
_SPOKEN_VALUES = ("button", "uploadbutton", "html", "markdown", "tabitem")
_SPOKEN_ATTRIBUTES = ("alt", "aria-label", "placeholder", "title")
#: Classes of lists of which no choice is translated, whatever it is called.
_NAMES = {"hnw-names", "hnw-networks"}
_OURS = re.compile(r"(setting_)?hnw_")
#: Where HTML has a tag; a `<` elsewhere, as in a regular expression, begins none.
_TAG = re.compile(r"<[/A-Za-z]")


#: What is said to a database.
_SQL = re.compile(r"\s*(?:\{\} )?(?:AS|BEGIN|CREATE|DELETE|INSERT|ORDER BY|PRAGMA|SELECT|UPDATE|WHERE)\b")
_SENTENCE = re.compile(r"[A-Za-z]{2,} [A-Za-z{]|[}a-z] [a-z]{2,}")


class _Nodes(HTMLParser):
    """The text nodes of HTML, and what its elements are called for those who do not see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Return what an element is called."""
        self.found += [value.strip() for name, value in attrs if name in _SPOKEN_ATTRIBUTES and value]

    def handle_data(self, data: str) -> None:
        """Return a text node."""
        self.found += filter(None, [data.strip()])


def nodes(html: str) -> list[str]:
    """Return the text nodes of HTML, as a browser has them."""
    return _Nodes(html).found if _TAG.search(html) else list(filter(None, [html.strip()]))


def in_sight(config: dict[str, Any], everywhere: bool = False) -> dict[str, str]:
    """Every text of our part of a page, or of all of it, with its component, from gradio's config of the page."""
    components = {one["id"]: one for one in config["components"]}
    texts: dict[str, str] = {}
    for component in _ours(config["layout"], components, everywhere):
        place = component["props"].get("elem_id") or component["type"]
        for text in _texts(component):
            texts.setdefault(text, place)
    return texts


def choices(config: dict[str, Any]) -> dict[str, str]:
    """Every choice of our lists with the component it belongs to, but for those of lists of names."""
    components = {one["id"]: one for one in config["components"]}
    return {
        str(choice): component["props"].get("elem_id") or component["type"]
        for component in _ours(config["layout"], components, False)
        if not _NAMES & set(component["props"].get("elem_classes") or ())
        for choice in component["props"].get("choices") or []
    }


def lists(config: dict[str, Any]) -> list[list[str]]:
    """Return the choices of each list of ours."""
    components = {one["id"]: one for one in config["components"]}
    ours = _ours(config["layout"], components, False)
    return [list(map(str, one["props"]["choices"])) for one in ours if one["props"].get("choices")]


def helps(config: dict[str, Any]) -> set[str]:
    """Return the help texts of our fields."""
    components = {one["id"]: one for one in config["components"]}
    return {one["props"].get("info") or "" for one in _ours(config["layout"], components, False)} - {""}


def in_code() -> set[str]:
    """Every text in the code and templates of our part; `{}` stands for what a sentence made at run time takes in.

    The page's script translates sentence by sentence, without the commas that join, and the forms write labels for
    the names of settings; so a text is here in all these ways.
    """
    from hypernetwork_workbench.hypernetworks.jobs import create_entry, train_entry

    labels = {**create_entry.LABELS, **train_entry.LABELS}
    names = re.compile(r"\b(" + "|".join(re.escape(name) for name in labels if re.search("[_.]", name)) + r")\b")
    found: set[str] = set()
    for text in itertools.chain(_in_python(), _in_templates(), _in_scripts()):
        found |= {text, text.replace("_", " "), names.sub(lambda name: f"“{labels[name[0]]}”", text)}
    sentences = {part for text in found for part in re.split(r"(?:(?<=\.) (?:\{\} )?|(?<=^\{\}) )(?=[A-Z])", text)}
    return found | {re.sub(r"\.(\{\})+$", ".", part).strip(" ,;") for part in sentences}


def _in_python() -> Iterator[str]:
    for path in sources.paths():
        if path.relative_to(sources.ROOT).parts[0] in ("hypernetworks", "patches", "scripts"):
            for node in ast.walk(sources.tree(path)):
                yield from nodes(_literal(node))


def sentences_in_code() -> Iterator[str]:
    """Every text of two words or more in the code that is no docstring and is not only for the log."""
    for path in sources.paths():
        if path.relative_to(sources.ROOT).parts[0] in ("hypernetworks", "patches"):
            tree = sources.tree(path)
            hidden = {id(part) for node in ast.walk(tree) for part in _hidden(node)}
            texts = (text for node in ast.walk(tree) if id(node) not in hidden for text in nodes(_literal(node)))
            yield from (text for text in texts if _SENTENCE.search(text) and not _SQL.match(text))


def _hidden(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what nobody is shown: a text that stands alone, what goes to the log, and the parts of an f-string."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if isinstance(node.func.value, ast.Name) and node.func.value.id in {"log", "_log"}:
            yield from ast.walk(node)
        if ast.unparse(node.func) == "re.compile":
            yield from ast.walk(node)
    if isinstance(node, ast.JoinedStr):
        yield from (part for part in node.values if isinstance(part, ast.Constant))


def _in_templates() -> Iterator[str]:
    from hypernetwork_workbench.hypernetworks.pages import elements

    environment = elements.environment()
    for path in sorted(elements.FOLDER.iterdir()):
        page = ""
        source = environment.loader.get_source(environment, path.name)[0]
        for _, kind, value in environment.lex(source):
            page += value if kind == "data" else "{}" if kind == "variable_begin" else ""
            if kind == "string":
                yield value[1:-1]
        yield from nodes(page)


def _in_scripts() -> Iterator[str]:
    for path in sorted((sources.ROOT / "javascript").glob("*.js")):
        yield from re.findall(r'"([A-Z][^"\n]* [^"\n]*)"', path.read_text(encoding="utf-8"))


def _literal(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _ours(node: dict[str, Any], components: dict[int, Any], is_inside: bool) -> Iterator[dict[str, Any]]:
    """Our components: those with an id of ours, all they hold, and the comment that follows a setting of ours."""
    follows = False
    for child in node.get("children", ()):
        component = components[child["id"]]
        is_comment = follows and "settings-comment" in (component["props"].get("elem_classes") or ())
        is_ours = is_inside or is_comment or bool(_OURS.match(component["props"].get("elem_id") or ""))
        below = list(_ours(child, components, is_ours))
        yield from ([component] if is_ours else [])
        yield from below
        follows = bool(below) or (is_ours and not is_comment)  # gradio puts a setting into a form


def _texts(component: dict[str, Any]) -> Iterator[str]:
    props = component["props"]
    for name in _PROPS:
        if isinstance(props.get(name), str):
            yield from nodes(props[name])
    if component["type"] in _SPOKEN_VALUES and isinstance(props.get("value"), str):
        yield from nodes(props["value"])
    for header in props.get("headers") or ():
        yield from nodes(str(header))
