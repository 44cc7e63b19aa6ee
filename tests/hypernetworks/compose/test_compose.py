"""Compositions: golden cases of the original extension, both forms of text, strengths and errors."""

import json
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks import compose, files
from hypernetwork_workbench.hypernetworks.base.errors import CompositionError
from hypernetwork_workbench.hypernetworks.compose import nodes
from hypernetwork_workbench.hypernetworks.compose.bound import Apply
from hypernetwork_workbench.hypernetworks.compose.nodes import MAX_NODES
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tests.support.examples import examples

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "hns"
CASES = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))
X = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))


def network(seed, activation="linear", **flags):
    net = Hypernetwork.create(Structure(activation=activation, **flags), [8], seed)
    generator = torch.Generator().manual_seed(seed)
    for tensor in net.state_dict().values():
        tensor.normal_(0, 0.3, generator=generator)
    return net


NETWORKS = {
    "A": network(1),
    "B": network(2, "mish"),
    "C": network(3, "tanh", layer_norm=True),
    "夜 空": network(4, "relu"),
    'D "x" (2)': network(5),
    "a+b": network(6, skip_connection=True),
}


def adds(name, x, strength=1.0):
    return NETWORKS[name].transform(x, strength)[0] - x


def close(one, other):
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=[case["expr"] for case in CASES])
def test_the_golden_cases_give_what_the_original_gives(case):
    if "error" in case:
        with pytest.raises(CompositionError, match="line 1, column 1"):
            compose.parse(case["expr"])
        return
    composition = compose.parse(case["expr"])
    networks = {path.stem: files.load(path) for path in GOLDEN.glob("*.pt")}
    expected = load_file(GOLDEN / case["expected"])
    for form in (composition, compose.parse(composition.as_hns()), compose.parse(composition.as_text())):
        assert form == composition
        for width in (16, 24):
            for side, output in zip("kv", form.transform(expected[f"{width}.x"], networks), strict=True):
                torch.testing.assert_close(output, expected[f"{width}.{side}"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('("A", 0.2)', "A:0.2"),
        ('{"A": 0.2}', "A:0.2"),
        ('{"A": -1.5}', "A:-1.5"),
        ('["A"]', "A"),
        ('{"A"}', "A"),
        ('("A",)', "A"),
        ('{"A": 1}', "A"),
        ('("A")', "A"),
        ('[[[{"A"}]]]', "A"),
        ('{("A", 0.5): 1}', "A:0.5"),
        ("{\"['A', 'B']\": 1}", "A > B"),
        ('\ufeff \n["A", "B", "C"]\n', "A>B>C"),
        ('[("A", 2), {"B": 0.5}, "C",]  # a comment', "A:2 > B:0.5 > C"),
        ('{"A", "B"}', "A + B"),
        ('{"A": 8, "B": 1e-1}', "A:8+B:.1"),
        ('{"(\'A\', 0.5)": 2, "B": 1}', "(A:0.5):2 + B"),
        ("{\"{'A': 0.2, 'B': 0.8}\": 0.8, \"C\": 0.1}", "(A:0.2 + B:0.8):0.8 + C:0.1"),
        ('[{"A": 0.8, "B": 0.2}, "C"]', "A:0.8 + B:0.2 > C"),
        ('[["A", "B"], "C"]', "(A > B) > C"),
        ("""{"['A', {'B', 'C'}]", "A"}""", "(A > B + C) + A"),
        ('["夜 空", "D x"]', "夜 空 > D x"),
        ('[("a+b", 1), "D \\"x\\" (2)"]', '"a+b" > "D \\"x\\" (2)"'),
        ("[\"it's\", 'B']", "'it\\'s' > ((B))"),
        # the lists of the original's documentation, with tuples inside of dicts and sets
        ("[{('A', 0.45): 0.5, ('B', 0.45): 0.5}, 'C']", "(A:0.45):0.5 + (B:0.45):0.5 > C"),
        ("{('A', 0.2), 'B'}", "(A:0.2) + B"),
        ("{(('A', 0.2),): 3, ('B',): 1}", "(A:0.2):3 + B"),
        ("{('A', 0.2): 1, ('A', 0.4): 1}", "(A:0.2) + (A:0.4)"),
        ("{'A': 2, ('A',): 1, \"['A']\": 1, 'B': 4}", "A:4 + B:4"),
        ("[{'A', ('A',)}, 'B']", "A > B"),
        # numbers in quotes or as percentages, and comments
        ("{'A': '0.8', 'B': \"２０％\"}", "A:0.8 + B:0.2"),
        ("[('A', 60%), ('B', -５０ %)]", "A:0.6 > B:-0.5"),
        ('("A", "0.2")', "A:0.2"),
        ("# 夜の絵\n\n  # two\n['A', 'B']", "A > B"),
        ("['A',  # first\n 'B']", "A > B"),
        ("#mine\nA + B", "A + B"),
        # as JSON writes it
        ('["\\ud83d\\ude00", "\\u591c"]', "😀 > 夜"),
        # the names of 2022
        ("night(9f86d081):0.5 + 夜 空(0a1b2c3d)", "{('night(9f86d081)', 1): 0.5, '夜 空(0a1b2c3d)': 1}"),
    ],
)
def test_both_forms_say_the_same(text, same):
    composition = compose.parse(text)
    assert composition == compose.parse(same)
    assert compose.parse(composition.as_text()) == composition
    assert compose.parse(composition.as_hns()) == composition


def test_the_forms_are_written_short():
    text = 'A:0.8 + B:0.2 > "a+b":-2 > (A > B) + C'
    composition = compose.parse(text)
    assert composition.as_text() == text
    assert composition.as_hns() == """[{'A': 0.8, 'B': 0.2}, ('a+b', -2), {"['A', 'B']", 'C'}]"""
    assert compose.parse("  夜 空 ").as_text() == "夜 空"
    assert compose.parse('"a+b":1').as_text() == '"a+b":1'
    assert composition.names == ("A", "B", "a+b", "C")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: the text is empty"),
        ('  "A"', "line 1, column 3: a name alone goes without quotes"),
        ("[]", "line 1, column 1: the square brackets are empty"),
        ("{}", "line 1, column 1: the curly brackets are empty"),
        ("()", "line 1, column 2: a name is expected here"),
        ("[[], [], []]", "line 1, column 2: the square brackets are empty"),
        ('["A",\n "夜", "B"', "line 1, column 1: the text is broken here"),
        ('["A",\n "夜", 3]', "line 2, column 7: a quoted name is expected here"),
        ('\n\n  ["A", 3]', "line 3, column 9: a quoted name is expected here"),
        ('["A" "B"]', "line 1, column 6: a comma is missing in front of this text"),
        ("[{'A': 0.5},\n 'B'  # the second\n 'C']", "line 3, column 2: a comma is missing in front of this text"),
        ("{'夜' 'B': 0.5}", "line 1, column 6: a comma is missing in front of this text"),
        ('["A", B]', "line 1, column 7: a quoted name is expected here"),
        ('["A", f"{B}"]', "line 1, column 7: a quoted name is expected here"),
        ('[__import__("os")]', "line 1, column 2: a quoted name is expected here"),
        ('("A", "B")', "line 1, column 1: round brackets hold one name and its strength"),
        ('("A", True)', "line 1, column 1: round brackets hold one name and its strength"),
        ('{"A": "B"}', "line 1, column 7: a number is expected here"),
        ('{"A": "0,5"}', "line 1, column 7: write a point for the comma in '0,5', as in 0.5"),
        ('("A", 60j)', "line 1, column 1: round brackets hold one name and its strength"),
        ('{("A", 1), ("A", 1.0)}', "line 1, column 1: 'A' occurs twice side by side"),
        ('{("A", 1): 2, "A": -2}', "line 1, column 1: the weights side by side add up to 0"),
        ("# a comment\n['A', 3]", "line 2, column 7: a quoted name is expected here"),
        ("# a\n# b", "line 2, column 1: +, > or the end is expected here"),
        ('{"A": 1e999}', "line 1, column 7: the number is too large"),
        ('{"A": 1, **{}}', "line 1, column 1: curly brackets need names"),
        ('{["A", "C"], "B"}', "line 1, column 2: inside curly brackets a part of several networks must be quoted"),
        ("""{"['A', 'B']": 0.5}""", "line 1, column 2: a strength belongs to one network"),
        ("""{"['A', 3]": 0.5, "B": 1}""", "line 1, column 2, in its quoted text line 1, column 7: a quoted name is"),
        ("""{"['A'": 0.5, "B": 1}""", "line 1, column 2, in its quoted text line 1, column 1: the text is broken"),
        ('{"A": 1, "B": -1}', "line 1, column 1: the weights side by side add up to 0"),
        ('{"A", "A"}', "line 1, column 1: 'A' occurs twice side by side"),
        ('["A", ""]', "line 1, column 7: the name of a network is empty"),
        ("A +", "line 1, column 4: the text ends where a name is expected"),
        ("A B + \n > C", "line 2, column 2: a name is expected here, not '>'"),
        ("A:x", "line 1, column 3: a number is expected here"),
        ("(A > B):0.5", "line 1, column 9: a strength belongs to one network"),
        ("(A + B", "line 1, column 7: a closing bracket is missing"),
        ("A) + B", "line 1, column 2: +, > or the end is expected here"),
        ('"A:1', "line 1, column 1: a closing quote is missing"),
        ('"(A)":0.5', "line 1, column 1: the name '(A)' starts with a bracket"),
        ("A:1 + B:-1", "line 1, column 1: the weights side by side add up to 0"),
        ("A:1e999", "line 1, column 3: the number is too large"),
        ("(" * 500 + "A", "the brackets are nested too deeply"),
        ("[" * 500 + '"A"', "the text is broken here"),
        ("[" + "-" * 100_000 + "1]", "cannot be read"),
        ("A" * 300_000, "longer than"),
        ("[" + '"A",' * 2000 + "]", "more than 1000 networks"),
        ("{" + ",".join(f'"{i}"' for i in range(2000)) + "}", "more than 1000 networks"),
        ("[\0]", "line 1, column 1: the text"),
    ],
)
def test_broken_text_gives_one_sentence_with_the_place(text, message):
    with pytest.raises(CompositionError) as caught:
        compose.parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("A：０．８ + B:０。２", "A:0.8 + B:0.2"),
        ("A：０．８　＋　B：0.2　＞　C", "A:0.8 + B:0.2 > C"),
        ("A ＋ B ＞ C", "A + B > C"),
        ("夜：\u22120.5", "夜:-0.5"),
        ("A:60% + B:４０％", "A:0.6 + B:0.4"),
        ('"a+b"：２', '"a+b":2'),
        ("｛'A'：０．８，'B'：０．２｝", "A:0.8 + B:0.2"),
        ('（"A"、０．５）', "A:0.5"),
        ("['A'，('夜，１', ー１)]", "A > 夜，１:-1"),
    ],
)
def test_full_width_numbers_and_signs_are_read(text, plain):
    assert compose.parse(text).as_text() == plain


@pytest.mark.parametrize(
    "name", ["【夜】", "（新）夜", "［A］", "A＋B", "Re：ゼロ", "夜、朝", "夜：２", "スーパー", "A ＋ B"]
)
def test_names_keep_their_full_width_signs(name):
    composition = compose.Composition(compose.Single(name, 0.5))
    for text in (composition.as_text(), composition.as_hns()):
        assert compose.parse(text) == composition
    assert compose.parse(compose.Composition(compose.Single(name)).as_text()).names == (name,)


@pytest.mark.parametrize(
    "text", ["A:0,8 + B", "A：０，８", "A > B:-1,5", '("A", 0,8)', "{'A': 0,8, 'B': 0,2}", "['A', ('B'，１，５)]"]
)
def test_a_decimal_comma_is_told(text):
    with pytest.raises(CompositionError, match=r"^line 1, column \d+: write a point for the comma in .*, as in "):
        compose.parse(text)


def test_the_place_of_a_decimal_comma_is_that_of_the_number():
    with pytest.raises(CompositionError, match=r"^line 2, column 7: write a point for the comma in '0,8'"):
        compose.parse("['B',\n('A', 0,8)]")


def test_too_deep_nesting_is_refused():
    text = "A"
    for name in "BCDEFGHIJ":
        text = f"({text}) + {name}"
    with pytest.raises(CompositionError, match="more than 8 levels"):
        compose.parse(text)


def test_sequences_chain_and_branches_share_out():
    k, v = compose.parse("A:0.5 > B:-2").transform(X, NETWORKS)
    middle = NETWORKS["A"].transform(X, 0.5)
    close(k, NETWORKS["B"].pair(8)[0](middle[0], -2))
    close(v, NETWORKS["B"].pair(8)[1](middle[1], -2))
    k, _ = compose.parse("A:3 + C:1").transform(X, NETWORKS)
    close(k, X + 0.75 * adds("A", X) + 0.25 * adds("C", X))
    k, _ = compose.parse("(A:1.5):-3 + B").transform(X, NETWORKS)
    close(k, X + 1.5 * adds("A", X, 1.5) - 0.5 * adds("B", X))


def growth(factor):
    """Make a network of width 1 that adds `factor` times its input."""
    net = Hypernetwork.create(Structure(), [1], 0).requires_grad_(False)
    for tensor in net.state_dict().values():
        tensor.zero_()
    for module in net.pair(1):
        first, last = (layer for layer in module.modules() if isinstance(layer, torch.nn.Linear))
        first.weight[0, 0], last.weight[0, 0] = 1.0, factor
    return net


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # With x = 2, and a, b and c adding 1, 2 and -0.5 times their input; worked out by hand.
        ("[{('a', 0.45): 0.5, ('b', 0.45): 0.5}, 'c']", (2.9 + 3.8) / 2 * 0.5),
        ("['c', {('a', 0.45): 0.5, ('b', 0.45): 0.5}]", (1.45 + 1.9) / 2),
        ("{('a', 0.5), 'b', 'c'}", (3 + 6 + 1) / 3),
        ("{('a', 0.5): 3, \"['b', 'c']\": 1}", (3 * 3 + 3) / 4),
        ("[('a', 0.2), {'b': 0.4}]", 2.4 * 1.8),
        ("{'a': 0.8, 'b': 0.1}", 8 / 9 * 4 + 1 / 9 * 6),
        ("{\"{'a': 0.2, 'c': 0.8}\": 0.8, 'b': 0.2}", 0.8 * (0.2 * 4 + 0.8 * 1) + 0.2 * 6),
        ("[{'a': 60%}, ['b'], {('c', '0.5'): 1}]", 2 * 1.6 * 3 * 0.75),
    ],
)
def test_values_worked_out_by_hand(text, expected):
    networks = {"a": growth(1.0), "b": growth(2.0), "c": growth(-0.5)}
    with torch.no_grad():
        for output in compose.parse(text).transform(torch.full((1, 1, 1), 2.0), networks):
            close(output, torch.full((1, 1, 1), expected))


@pytest.mark.parametrize("text", ["A", "B:0.7", "A > B", "A:2 + B:-0.5 > C", "(A > B) + (C + A):2"])
@pytest.mark.parametrize("strength", [-1.0, 0.0, 0.3, 1.0, 2.5])
def test_the_strength_scales_what_a_composition_adds(text, strength):
    composition = compose.parse(text)
    whole = composition.transform(X, NETWORKS)
    scaled = composition.transform(X, NETWORKS, strength)
    for full, part in zip(whole, scaled, strict=True):
        close(part, X + strength * (full - X))
        if strength == 0:
            assert part is X
        if strength == 1:
            assert torch.equal(part, full)


def test_other_widths_pass_through_as_the_same_object():
    other = torch.randn(1, 2, 5)
    for part in compose.parse("A:0.3 + B:0.1 > C").transform(other, NETWORKS, 0.7):
        assert part is other


def test_an_unknown_name_is_reported_with_its_place():
    with pytest.raises(CompositionError, match=r"^line 2, column 2: there is no network named 'Z'$"):
        compose.parse("A >\n Z").transform(X, NETWORKS)
    inner = compose.parse('["A", "Z"]')
    with pytest.raises(CompositionError, match=r"^'mix', line 1, column 7: there is no network named 'Z'$"):
        compose.parse("mix", resolve={"mix": inner}).transform(X, NETWORKS)


def test_a_composition_may_name_another():
    mix = compose.parse("A + B")
    outer = compose.parse("mix:0.5 > C", resolve={"mix": mix})
    assert outer.names == ("C", "A", "B")
    k, _ = outer.transform(X, NETWORKS)
    half = mix.transform(X, NETWORKS, 0.5)[0]
    close(k, NETWORKS["C"].transform(half)[0])


def test_circles_and_compositions_that_multiply_are_refused():
    one, two = compose.parse("A > two"), compose.parse("B + one")
    with pytest.raises(CompositionError, match=r"line 1, column 5: .* circle \('one' > 'two' > 'one'\)"):
        compose.parse("one", resolve={"one": one, "two": two})
    with pytest.raises(CompositionError, match=r"circle \('me' > 'me'\)"):
        compose.parse("me", resolve={"me": compose.parse("me")})
    many = {f"m{i}": compose.parse(f"m{i + 1} > A > m{i + 1}") for i in range(40)}
    with pytest.raises(CompositionError, match="more than 1000 networks"):
        compose.parse("m0", resolve=many)


NAMES = st.text(min_size=1, max_size=6).filter(lambda name: name.strip() and name.lstrip()[0] not in "[({")
NUMBERS = st.floats(-100, 100).filter(lambda value: abs(value) > 1e-3)
SINGLES = st.builds(compose.Single, NAMES, st.one_of(st.just(1.0), NUMBERS))


@st.composite
def parallels(draw, parts):
    branches = draw(st.lists(parts, min_size=2, max_size=3, unique_by=repr))
    weights = st.one_of(st.just(1.0), st.floats(0.01, 100))
    return compose.Parallel(tuple(branches), tuple(draw(weights) for _ in branches))


NODES = st.recursive(
    SINGLES,
    lambda parts: st.one_of(
        parallels(parts), st.lists(parts, min_size=2, max_size=3).map(lambda steps: compose.Sequence(tuple(steps)))
    ),
    max_leaves=6,
)


@given(NODES)
@examples(150)
def test_any_composition_is_read_back_from_both_forms(node):
    composition = compose.Composition(node)
    assert compose.parse(composition.as_hns()) == composition
    if any("\n" in name for name in composition.names):
        with pytest.raises(CompositionError, match="line break"):
            composition.as_text()
    else:
        assert compose.parse(composition.as_text()) == composition


@given(st.text(alphabet="AB夜:+>()[]{},\"'\\ \n0.5-e#%j", max_size=30))
@examples(300)
def test_any_text_is_read_or_refused(text):
    try:
        composition = compose.parse(text)
    except CompositionError:
        return
    assert compose.parse(composition.as_hns()) == composition


@pytest.mark.parametrize("deep", ["-" * 400 + "1", "not " * 900 + "1", "lambda:" * 900 + "1", "a" + ".a" * 900])
def test_a_deep_strength_is_one_sentence(deep):
    with pytest.raises(CompositionError, match=r"round brackets hold|cannot be read|broken here|name"):
        compose.parse(f"('a', {deep})")


def test_names_are_given_as_the_caller_knows_them():
    composition = compose.parse("A(9f86d081) > B.pt", {"B": compose.parse("C")}, lambda name: name[:1])
    assert composition.names == ("A", "C")
    with pytest.raises(CompositionError, match="'A' occurs twice"):
        compose.parse("A(9f86d081) + A", rename=lambda name: name[:1])


def test_limits_are_accepted_and_what_is_beyond_is_not():
    names = [f"n{number}" for number in range(MAX_NODES + 1)]
    for kept in (parallel, sequence):
        assert len(compose.parse(kept(names[:MAX_NODES])).names) == MAX_NODES
        with pytest.raises(CompositionError, match=f"more than {MAX_NODES} networks"):
            compose.parse(kept(names))
    with pytest.raises(CompositionError, match=f"^more than {MAX_NODES} networks stand side by side$"):
        nodes.parallel([nodes.Single(name) for name in names], [1.0] * len(names), "")
    nodes.parallel([nodes.Single(name) for name in names[:-1]], [1.0] * MAX_NODES, "")


def parallel(names):
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


def sequence(names):
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


@pytest.mark.parametrize(
    ("text", "levels", "reason"),
    [
        ("(a > b)", 15, "the brackets are nested too deeply"),
        ("['a', 'b']", 31, "nested"),
        ("a > (b + (c > (d + (e > (f + (g > (h + i)))))))", 9, "nested too deeply"),
    ],
)
def test_brackets_may_be_nested_so_deep_and_no_deeper(text, levels, reason):
    opening, closing = ("[", "]") if text.startswith("[") else ("(", ")")
    assert compose.parse(opening * levels + text + closing * levels) == compose.parse(text)
    with pytest.raises(CompositionError, match=reason):
        compose.parse(opening * (levels + 1) + text + closing * (levels + 1))


@pytest.mark.parametrize(("length", "shown"), [(1, 1), (59, 59), (60, 60), (61, 63), (200, 63)])
def test_long_names_are_cut_in_messages(length, shown):
    assert nodes.shorten("x" * length) == repr("x" * min(length, 60) + "..." * (shown == 63))


def test_a_network_alone_has_its_whole_strength():
    net = NETWORKS["B"]
    assert torch.equal(Apply(net).transform(X, X)[0], net.transform(X)[0])
    assert torch.equal(Apply(net, 0.5).transform(X, X)[1], net.transform(X, 0.5)[1])


def test_what_is_shown_of_a_composition_is_its_tree():
    inner = compose.parse("A")
    assert repr(compose.Composition(inner.root, {"A": inner})) == repr(inner)
    assert compose.Composition(inner.root, {"A": inner}) == inner


def test_a_step_tells_its_networks_as_often_as_they_are_used():
    step = compose.parse("A > B + C:2 > A").as_step(NETWORKS)
    wanted = [NETWORKS[name] for name in "ABCA"]
    assert all(found is network for found, network in zip(step.networks(), wanted, strict=True))


def test_a_composition_of_its_own_names_as_many_networks_as_it_may_and_no_more():
    pair = "('A', 0.5), "
    assert len(compose.parse(f"[{pair * MAX_NODES}]").root.steps) == MAX_NODES
    with pytest.raises(CompositionError, match=f"^the composition names more than {MAX_NODES} networks"):
        compose.parse(f"[{pair * (MAX_NODES + 1)}]")


def test_a_network_follows_its_context_to_another_device():
    moved = network(9)
    for output in Apply(moved, 0.5).transform(*[torch.empty(1, 2, 8, device="meta")] * 2):
        assert output.device.type == "meta"
    assert {tensor.device.type for tensor in moved.state_dict().values()} == {"meta"}


def test_one_side_alone_is_what_both_give():
    step = compose.parse("A:0.8 + B:0.2 > C:0.5 > 'a+b'").as_step(NETWORKS, 0.7)
    for_k, for_v = step.transform(X, X)
    assert not torch.equal(for_k, for_v)
    assert torch.equal(step.side(X, False), for_k)
    assert torch.equal(step.side(X, True), for_v)
    assert step.side(X[..., :7], True).shape[-1] == 7
