"""The templates: what they take in is escaped, and all that they hold is used."""

from __future__ import annotations

import ast
import re

import jinja2
import pytest
from hypernetwork_workbench.hypernetworks.pages import elements
from jinja2 import nodes

from tests import sources

TEMPLATES = sorted(path.name for path in elements.FOLDER.iterdir())
#: Filters that leave a text unescaped text, or escape it.
FILTERS = {"text", "e", "int", "length", "own"}
#: A tag of a template, with what it takes in.
TAG = re.compile(r"<[a-z](?:\{[{%].*?[}%]\}|'[^']*'|\"[^\"]*\"|[^'\">{])*>", re.DOTALL)
ATTRIBUTE = re.compile(r"([\w:-]+)=('[^']*'|\"[^\"]*\")")


def source(name: str) -> str:
    return (elements.FOLDER / name).read_text(encoding="utf-8")


def outside_of_quotes(tag: str) -> str:
    """Return a tag without the values of its attributes and without its conditions."""
    return re.sub(r"\{%.*?%\}", "", ATTRIBUTE.sub(r"\1", tag))


def wrong(text: str) -> list[str]:
    """Tell what a template does that lets a text be more than text."""
    tree = elements.environment().parse(text)
    found = [f"the filter {one.name}" for one in tree.find_all(nodes.Filter) if one.name not in FILTERS]
    found += ["autoescape" for _ in tree.find_all(nodes.EvalContextModifier)]
    for tag in TAG.findall(text):
        found += ["an attribute without quotes" for _ in re.findall(r"\{\{", outside_of_quotes(tag))]
        for name, value in ATTRIBUTE.findall(tag):
            taken = re.findall(r"\{\{(.*?)\}\}", value)
            found += ["|own in an attribute, which has no comments" for one in taken if re.search(r"\|\s*own\b", one)]
            if name.startswith("on"):
                found += [f"a script with {one}" for one in taken if not one.rstrip().endswith("|int")]
    # Unlike all else, this is not made printable; an attribute that is no text for a person may have it.
    loose = TAG.sub(lambda tag: re.sub(r"='\{\{[^}]*\|e \}\}'|=\"\{\{[^}]*\|e \}\}\"", "", tag[0]), text)
    return found + ["|e outside of an attribute" for _ in re.findall(r"\|\s*e(scape)?\b", loose)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_leave_no_text_unescaped(name):
    assert wrong(source(name)) == []


@pytest.mark.parametrize(
    "text",
    [
        "{{ a|safe }}",
        "<p>{{ a | safe }}</p>",
        "<p {{ a|xmlattr }}></p>",
        "{% autoescape false %}{{ a }}{% endautoescape %}",
        "<p class={{ a }}></p>",
        "<p {{ a }}='b'></p>",
        "<p onclick='go({{ a }})'></p>",
        "<p onclick='go(\"{{ a|e }}\")'></p>",
        "<p>{{ a|e }}</p>",
        "{{ a|escape }}",
        "<p title='b {{ a|e }}'></p>",
        "<p title='{{ a|own(80) }}'></p>",
    ],
)
def test_the_check_sees_what_would_be_wrong(text):
    assert wrong(text) != []


def test_there_are_templates_and_each_is_used():
    constants = (node for path in sources.paths() for node in ast.walk(sources.tree(path)))
    used = {node.value for node in constants if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    imported = {name for one in TEMPLATES for name in re.findall(r'\{% from "([\w.]+)"', source(one))}
    assert len(TEMPLATES) > 5
    assert set(TEMPLATES) <= used | imported


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_macro_is_used(name):
    module = elements.environment().get_template(name).module
    macros = {one for one, value in vars(module).items() if callable(value)}
    texts = [source(one) for one in TEMPLATES] + [path.read_text(encoding="utf-8") for path in sources.paths()]
    unused = {one for one in macros if not any(re.search(rf'"{one}"|(?<!macro )\b{one}\(', text) for text in texts)}
    assert unused == set()


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        elements.environment().from_string("{{ nobody }}").render()


def test_escaping_is_on_for_every_kind_of_template():
    assert elements.environment().autoescape is True


def test_line_breaks_of_a_template_are_not_in_the_page():
    assert not [name for name in TEMPLATES if "\n" in elements.environment().loader.get_source(None, name)[0]]


def test_no_text_is_declared_to_be_html():
    """Only what a template made is HTML; what has none in it may be declared to be some."""
    wrong = [
        f"{path.name}:{node.lineno}"
        for path in sources.paths()
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).split(".")[-1] == "Markup"
    ]
    assert wrong == []
