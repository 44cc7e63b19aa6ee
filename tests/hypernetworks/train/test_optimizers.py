"""The options of optimizers as a text: what they mean, and which texts are none."""

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.optim import optimizers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("weight_decay=0.01", {"weight_decay": 0.01}),
        ("betas=(0.9, 0.99), amsgrad=True", {"betas": (0.9, 0.99), "amsgrad": True}),
        ("eps=-1e-8, name='a, b'", {"eps": -1e-8, "name": "a, b"}),
        ("weight_decay=None, betas=[0.5]", {"weight_decay": None, "betas": [0.5]}),
    ],
)
def test_a_text_gives_its_options(text, values):
    assert optimizers.parse_arguments(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "amsgrad",
        "amsgrad, weight_decay=0.1",
        "*betas",
        "**options",
        "a=1, **b",
        "a=1)(b=2",
        "a=1) + f(b=2",
        "a=1)[0](b=2",
        "a=",
        "a=1 b=2",
    ],
)
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(SettingsError, match=r"^arguments: must have the form key=value, key=value, not ") as caught:
        optimizers.parse_arguments(text)
    assert caught.value.field == "arguments"


@pytest.mark.parametrize("value", ["f(1)", "x", "1 + y", "{[]: 1}", "__import__('os')"])
def test_a_value_that_is_no_plain_one_is_refused_by_name(value):
    with pytest.raises(SettingsError, match=r"^arguments: the value of weight_decay must be a number"):
        optimizers.parse_arguments(f"eps=1, weight_decay={value}")


def test_an_option_is_there_once():
    with pytest.raises(SettingsError, match=r"^arguments: eps is there twice"):
        optimizers.parse_arguments("eps=1, weight_decay=0.1, eps=2")


def test_a_text_has_two_thousand_characters_at_most():
    name = "a" * 1998
    assert optimizers.parse_arguments(f"{name}=1") == {name: 1}
    with pytest.raises(SettingsError, match="is longer than 2000 characters"):
        optimizers.parse_arguments(f"{name}a=1")


def test_options_of_the_run_come_before_those_of_the_kind_and_the_rate_is_the_trainers():
    weights = [torch.nn.Parameter(torch.zeros(4, 4))]
    plain = optimizers.build(weights, "AdaFactor", "").param_groups[0]
    assert (plain["relative_step"], plain["scale_parameter"], plain["lr"]) == (False, False, 1.0)
    assert optimizers.build(weights, "AdaFactor", "scale_parameter=True").param_groups[0]["scale_parameter"]
    for option in ("lr", "params", "maximize"):
        with pytest.raises(SettingsError, match=f"AdamW has no option {option}; it has betas, "):
            optimizers.build(weights, "AdamW", f"{option}=1")


@pytest.mark.parametrize(
    ("name", "arguments"), [("AdamW", "betas=(2, 0.9)"), ("Lion", "betas=(2.0, 0.9)"), ("SGD", "nesterov=True")]
)
def test_values_that_an_optimizer_refuses_are_told_with_its_reason(name, arguments):
    with pytest.raises(SettingsError, match=rf"^optimizer\.arguments: {name} refuses them: "):
        optimizers.build([torch.nn.Parameter(torch.zeros(4, 4))], name, arguments)


def test_arguments_are_checked_where_the_package_is_there(monkeypatch):
    optimizers.check_arguments("Lion", "weight_decay=0.1")
    with pytest.raises(SettingsError, match="Lion has no option colour"):
        optimizers.check_arguments("Lion", "colour=1")
    monkeypatch.setattr(optimizers.importlib.util, "find_spec", lambda name: None)
    optimizers.check_arguments("Lion", "colour=1")
    with pytest.raises(SettingsError, match="must have the form"):
        optimizers.check_arguments("Lion", "colour")


@pytest.mark.parametrize(
    ("version", "is_fused"), [("2.4.0", True), ("2.3.1+cpu", False), ("2.10.0", True), ("3.0.0", True)]
)
def test_fused_steps_on_a_cpu_are_taken_from_torch_2_4_on(version, is_fused, monkeypatch):
    monkeypatch.setattr(torch, "__version__", version)
    assert optimizers._can_be_fused([torch.zeros(1)]) == is_fused
    assert not optimizers._can_be_fused([torch.zeros(1), torch.zeros(1, device="meta")])


@pytest.mark.parametrize(("module", "attribute"), [("torch.optim", "NotYet"), ("no_such_package", "AdamW")])
def test_a_package_that_is_missing_or_too_old_is_named(module, attribute, monkeypatch):
    kind = optimizers.OptimizerKind(module, attribute, "some-package")
    monkeypatch.setattr(optimizers, "KINDS", {"AdamW": kind})
    with pytest.raises(SettingsError, match="AdamW needs the package some-package, which is not installed or too old"):
        optimizers.build([torch.nn.Parameter(torch.zeros(1))], "AdamW", "")
