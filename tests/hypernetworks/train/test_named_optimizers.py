"""Optimizers chosen as a class of torch or `module.Class`: which are found, which refused, and how they go on."""

from __future__ import annotations

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.optim import optimizers, trial
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.optimizer import OptimizerSettings

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, same, weights


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("Adamax", "torch.optim"),
        ("torch.optim.Adadelta", "torch.optim"),
        ("torch.optim.adamw.AdamW", "torch.optim"),
        ("pytorch_optimizer.AdaBelief", "pytorch_optimizer"),
        ("bitsandbytes.optim.PagedAdamW8bit", "bitsandbytes"),
        ("transformers.optimization.Adafactor", "transformers"),
    ],
)
def test_classes_of_the_packages_on_the_list_are_made(name, module):
    OptimizerSettings(name=name)
    made = optimizers.build([torch.nn.Parameter(torch.ones(2, 2))], name, "")
    assert type(made).__module__.startswith(module)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Magic", "must be one of AdamW, .*another of torch.optim, or module.Class of a package, not 'Magic'"),
        ("os.system", "os is no module that optimizers may come from; known are torch.optim, bitsandbytes"),
        ("torch.load", "torch is no module that optimizers may come from"),
        ("torch.optimizers.Adam", "torch.optimizers is no module that optimizers may come from"),
        ("my_file.MyOptimizer", "my_file is no module that optimizers may come from"),
        ("../evil.py", "must be the name of a class or module.Class, not '../evil.py'"),
        ("C:\\optim.Evil", "must be the name of a class or module.Class, not "),
        ("torch.optim.lr_scheduler.StepLR", "torch.optim.lr_scheduler is no module that optimizers may come from"),
        ("torch.optim.Optimizer", "torch.optim has no Optimizer among its optimizers"),
        ("torch.optim.adamww", r"torch.optim has no adamww among its optimizers; do you mean AdamW\?"),
        ("pytorch_optimizer.load_optimizer", "pytorch_optimizer has no load_optimizer among its optimizers"),
        ("a" * 300, "must be the name of a class|must be one of"),
    ],
)
def test_other_names_are_refused_by_name(name, reason):
    with pytest.raises(SettingsError, match=reason) as caught:
        OptimizerSettings(name=name)
    assert [error.field for error in caught.value.errors] == ["name"]


def test_no_module_outside_the_list_is_imported(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingsError, match="trap is no module"):
        OptimizerSettings(name="trap.Optimizer")


def test_a_package_that_is_missing_is_told_when_the_run_starts(pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(optimizers.SHELF.packages, "no_such_package", "some-package")
    job = make_job(pictures, optimizer__name="no_such_package.Adam", optimizer__arguments="any=1")
    with pytest.raises(SettingsError, match=r"^optimizer\.name: no_such_package\.Adam needs the package some-package"):
        train(job, fake_ports(tmp_path))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("LBFGS", "LBFGS cannot train a network from gradients alone: .*closure"),
        ("SparseAdam", "SparseAdam cannot train a network from gradients alone: "),
        ("Muon", "Muon cannot be made for these weights: "),
        ("pytorch_optimizer.SAM", "pytorch_optimizer.SAM cannot be made for these weights: .*base_optimizer"),
        ("pytorch_optimizer.AdaShift", "pytorch_optimizer.AdaShift keeps what cannot be saved to continue with: "),
        ("pytorch_optimizer.ASGD", "pytorch_optimizer.ASGD does not go on from a saved state as it would"),
    ],
)
def test_what_cannot_train_a_network_here_is_refused_before_the_run(name, reason):
    with pytest.raises(SettingsError, match=rf"^optimizer\.name: {reason}"):
        trial.check(name, "")


def test_an_optimizer_is_tried_where_it_will_train(pictures, tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(trial, "_weights", lambda device: tried.append(device) or [])
    ports = fake_ports(tmp_path)
    ports.denoiser.device = torch.device("meta")
    with pytest.raises(SettingsError):
        make_plan(make_job(pictures, optimizer__name="torch.optim.Rprop"), ports)
    assert tried == [ports.denoiser.device]


@pytest.mark.parametrize("error", [RuntimeError("no CUDA"), OSError("libcudart.so: no such file")])
def test_a_package_that_does_not_load_is_told_when_the_run_starts(monkeypatch, error):
    def broken(name):
        raise error

    monkeypatch.setattr("importlib.import_module", broken)
    assert OptimizerSettings(name="torch.optim.Rprop").name == "torch.optim.Rprop"
    with pytest.raises(SettingsError, match=f"needs the package torch, which does not load here: {error}"):
        trial.check("torch.optim.Rprop", "")


def test_wrong_options_are_named_as_those():
    with pytest.raises(SettingsError, match=r"^optimizer\.arguments: Adamax refuses them: "):
        trial.check("Adamax", "betas=(2, 3)")
    with pytest.raises(SettingsError, match=r"^arguments: Adamax has no option colour; it has betas, "):
        OptimizerSettings(name="Adamax", arguments="colour=1")


@pytest.mark.parametrize("name", ["Rprop", "pytorch_optimizer.MARS", "transformers.optimization.Adafactor"])
def test_a_run_goes_on_with_them_bit_for_bit(pictures, tmp_path, name):
    changes = {"optimizer__name": name, "schedule__rate": "0.001", "output__sheet": False}
    whole = train(make_job(pictures, **changes, train__max_steps=4), fake_ports(tmp_path / "a"))
    ports = fake_ports(tmp_path / "b")
    train(make_job(pictures, **changes, train__max_steps=2), ports)
    halves = train(make_job(pictures, **changes, train__max_steps=4), ports, resume=True)
    assert same(weights(whole.network), weights(halves.network))


def test_nesterov_has_its_momentum_also_in_8_bits():
    large = [torch.nn.Parameter(torch.ones(64, 64))]
    for name in ("SGDNesterov", "SGDNesterov8bit"):
        group = optimizers.build(large, name, "").param_groups[0]
        assert (group.get("momentum") or group["betas"][0]) == 0.9
    plain, nesterov = ([torch.nn.Parameter(torch.ones(64, 64))] for _ in range(2))
    for own, name, arguments in ((plain, "SGD", "momentum=0.9"), (nesterov, "SGDNesterov", "")):
        optimizer = optimizers.build(own, name, arguments)
        optimizer.param_groups[0]["lr"] = 0.1
        own[0].grad = torch.ones(64, 64)
        optimizer.step()
    assert plain[0][0, 0].item() == pytest.approx(0.9)
    assert nesterov[0][0, 0].item() == pytest.approx(1 - 0.1 * 1.9)


def test_what_finds_its_rate_is_told_by_its_class():
    finding = ("Prodigy", "DAdaptAdan", "pytorch_optimizer.DAdaptSGD")
    assert all(map(optimizers.finds_rate, finding))
    assert not any(map(optimizers.finds_rate, ("AdamW", "Adamax", "pytorch_optimizer.AdaBelief")))
