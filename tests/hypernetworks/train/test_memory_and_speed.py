"""Steps do not wait for the device, the optimizer's state goes where it is told, and the estimate decides."""

from __future__ import annotations

import gc
import mmap
import types
from contextlib import contextmanager

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.batches import StepBatches
from hypernetwork_workbench.hypernetworks.data.encoding.latents import encode
from hypernetwork_workbench.hypernetworks.kernels import compiled
from hypernetwork_workbench.hypernetworks.kernels.memory import MB, Activations, PeakMemory, free_bytes
from hypernetwork_workbench.hypernetworks.ports import Computing
from hypernetwork_workbench.hypernetworks.train import memory_plan, offload, trainer
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.tracking import metrics

from tests.support.fake_ports import FakeDenoiser, FakeProgress, fake_ports
from tests.support.runs import make_job, same, weights

#: The system may take back memory that this process has not used for long, in the middle of a measurement.
TRIES = 5
FUSED = {"optimizer__arguments": "fused=True"}


def make_trainer(job, ports):
    plan = make_plan(job, ports)
    data = encode(plan.training, ports.encoder, ports.progress)
    return trainer.make_trainer(plan, ports.denoiser, data, make_state(job, plan.network, ports.denoiser))


def take(count_mb):
    """Take so much memory from the system and give it back; what the process has free is not used for it."""
    with mmap.mmap(-1, count_mb * MB) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1


@contextmanager
def counted(monkeypatch):
    """Count every look at a number of a tensor, each of which would wait for a GPU."""
    looks = []
    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__"):
            whole = getattr(torch.Tensor, name)
            patch.setattr(
                torch.Tensor, name, lambda self, *a, whole=whole, name=name: (looks.append(name), whole(self, *a))[1]
            )
        yield looks


class Deaf:
    """A callback that does not ask for particular steps."""

    def __init__(self):
        self.steps = []

    def after_step(self, record):
        self.steps.append(record.step)


class Periodic(Deaf):
    """A callback that does something every seventh step."""

    def is_due(self, step):
        return step % 7 == 0


@pytest.mark.parametrize("loss", ["l2", "scheduled huber"])
def test_nothing_in_a_step_waits_for_the_device(pictures, tmp_path, monkeypatch, loss):
    job = make_job(
        pictures,
        **FUSED,
        train__gradient_accumulation=2,
        optimizer__clip="norm",
        loss__kind=loss,
        loss__min_snr_gamma=5.0,
        loss__noise_offset=0.1,
        loss__adaptive_noise_offset=0.1,
    )
    made = make_trainer(job, fake_ports(tmp_path))
    made.reads_later = True
    batches = [StepBatches(step, 0, [(0, 1), (2,)]) for step in range(5)]
    with made.working():
        made.step(batches[0])  # looks things up once
        with counted(monkeypatch) as looks:
            results = [made.step(one) for one in batches[1:4]]
        assert looks == []
        made.reads_later = False
        with counted(monkeypatch) as looks:
            made.step(batches[4])
        assert looks == ["tolist"]
    assert all(result.read().is_finite for result in results)


def run(job, folder, callbacks, reads_later, spoil=()):
    """Return the weights at the end, and the trainer; the losses of the steps in `spoil` are no numbers."""
    ports = fake_ports(folder)
    made = make_trainer(job, ports)
    made.reads_later = reads_later
    whole, calls = ports.denoiser.predict, []

    def predict(*arguments):
        calls.append(1)
        return whole(*arguments) * (float("nan") if len(calls) - 1 in spoil else 1.0)

    ports.denoiser.predict = predict
    reporter = made.reporter(callbacks, job.train.max_steps)
    with made.working():
        for batches in made.batches(0, job.train.max_steps):
            reporter.report(made.step(batches))
    return [weight.detach().clone() for weight in made.state.network.parameters()], made


@pytest.mark.parametrize("spoil", [(), (3, 8, 9)])
def test_steps_read_later_give_the_same_weights_and_reach_every_callback(pictures, tmp_path, monkeypatch, spoil):
    monkeypatch.setattr(metrics, "MAX_UNREAD_S", 1e9)
    job = make_job(pictures, **FUSED, train__max_steps=40, train__rollback_after=10)
    callbacks = [Periodic(), Deaf()]
    at_once, first = run(job, tmp_path / "1", [Deaf()], False, spoil)
    later, second = run(job, tmp_path / "2", callbacks, True, spoil)
    assert all(torch.equal(one, other) for one, other in zip(at_once, later, strict=True))
    assert first.guard.skipped == second.guard.skipped == len(spoil)
    assert [one.steps for one in callbacks] == [list(range(1, 41))] * 2
    assert first.done == second.done == 40


def test_steps_are_read_in_time_for_who_needs_the_network(monkeypatch):
    monkeypatch.setattr(metrics, "MAX_UNREAD_S", 1e9)
    watched = Periodic()
    reporter = metrics.StepReporter(lambda result: result.read().record(), [watched], 100, False)
    for step in range(41):
        reporter.report(metrics.StepResult(step, 0, 0.1, 1, torch.tensor([1.0, 2.0])))
        read = len(watched.steps)
        assert step + 1 - read < min(metrics.MAX_UNREAD, 7)
        assert (step + 1) % 7 or read == step + 1


def test_a_slow_step_is_read_at_once(monkeypatch):
    monkeypatch.setattr(metrics, "MAX_UNREAD_S", 0.0)
    watched = Deaf()
    reporter = metrics.StepReporter(lambda result: result.read().record(), [watched], 100, False)
    reporter.report(metrics.StepResult(0, 0, 0.1, 1, torch.tensor([1.0, 2.0])))
    assert watched.steps == [1]


@pytest.mark.parametrize("optimizer", ["AdamW", "Prodigy", "ScheduleFreeAdamW"])
def test_an_optimizer_on_the_cpu_takes_the_same_steps_and_resumes(pictures, tmp_path, optimizer):
    changes = {"optimizer__name": optimizer, "output__sheet": False, "train__max_steps": 16}
    usual = train(make_job(pictures, **changes), fake_ports(tmp_path / "usual"))
    away = changes | {"train__optimizer_on_cpu": True}
    half = train(make_job(pictures, **away), fake_ports(tmp_path / "away", stop_after=7))
    assert half.interrupted
    rest = train(make_job(pictures, **away), fake_ports(tmp_path / "away"), resume=True)
    assert same(weights(usual.network), weights(rest.network))


def test_an_optimizer_on_the_cpu_keeps_nothing_elsewhere():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = offload.OptimizerOnCpu([weight], lambda copies: torch.optim.AdamW(copies, lr=0.1))
    weight.grad = torch.ones(3)
    optimizer.step()
    assert not optimizer.state
    assert all(value.device.type == "cpu" for state in optimizer.inside.state.values() for value in state.values())
    assert weight[0] < 1
    assert optimizer.param_groups[0]["params"][0] is weight


def test_previews_take_the_optimizer_state_away_and_bring_it_back(pictures, tmp_path, monkeypatch):
    """On a stand-in for a device: the meta device cannot be copied from, so moves are written down and not made."""
    moves = []
    monkeypatch.setattr(offload, "move", lambda tensor, device: (moves.append((tensor.shape, device.type)), tensor)[1])
    ports = fake_ports(tmp_path)
    whole = ports.previewer.generate
    during = []
    ports.previewer.generate = lambda *arguments: (during.append(len(moves)), whole(*arguments))[1]

    class OnGpu(torch.Tensor):
        device = torch.device("cuda", 0)

    class Pretending(torch.optim.AdamW):
        def step(self, closure=None):
            super().step()
            for state in self.state.values():
                state["exp_avg"] = state["exp_avg"].as_subclass(OnGpu)

    monkeypatch.setattr(torch.optim, "AdamW", Pretending)
    changes = {
        "train__max_steps": 4,
        "preview__every": "2",
        "output__sheet": False,
        "optimizer__arguments": "fused=False",
    }
    train(make_job(pictures, **changes), ports)
    assert (moves, during) == ([], [0, 0])
    train(make_job(pictures, **changes, output__name="b", train__preview_unloads_optimizer=True), ports)
    count = 4  # two weights and two biases, for k and for v
    assert [device for _, device in moves] == [*["cpu"] * 2 * count, *["cuda"] * 2 * count] * 2
    assert during[2:] == [2 * count, 6 * count]


def test_checkpointing_is_the_fastest_that_fits_into_the_free_memory(pictures, monkeypatch):
    settings = make_job(pictures).train
    network = make_job(pictures)
    from hypernetwork_workbench.hypernetworks.data.batches import BatchKind
    from hypernetwork_workbench.hypernetworks.files.create import new_network

    network = new_network(network.network, FakeDenoiser.widths, 0)
    denoiser = FakeDenoiser()
    denoiser.activations = lambda network, batch: Activations(*(batch[0] * size * MB for size in (300, 200, 100)))
    kinds = [BatchKind(64, 64, 1), BatchKind(64, 64, 2), BatchKind(32, 32, 4)]
    found = []
    for free in (1000, 600, 400, 100):
        monkeypatch.setattr(memory_plan, "free_bytes", lambda _, free=free: free * MB)
        needed = memory_plan.plan_memory(settings, network, denoiser, kinds)
        found.append((needed.computing.checkpointing, round(needed.estimated_mb)))
        assert ("more than is free" in needed.line()) == (free == 100)
    assert found == [("none", 600), ("attention", 400), ("all", 200), ("all", 200)]
    monkeypatch.setattr(memory_plan, "free_bytes", lambda _: 1000 * MB)
    denoiser.offloaded_bytes = lambda: 400 * MB
    needed = memory_plan.plan_memory(settings, network, denoiser, kinds)
    assert (needed.computing.checkpointing, needed.free) == ("attention", 600 * MB)
    denoiser.offloaded_bytes = lambda: 2000 * MB
    assert memory_plan.plan_memory(settings, network, denoiser, kinds).free == 0
    denoiser.activations = lambda network, batch: None
    needed = memory_plan.plan_memory(settings, network, denoiser, kinds)
    assert needed.computing.checkpointing == "none"
    assert "cannot be estimated" in needed.line()


class Measured:
    """Peak memory that was measured as told."""

    def __init__(self, above_mb, is_exact):
        self.above_start_mb = lambda: above_mb
        self.is_exact = is_exact


@pytest.mark.parametrize(
    ("estimated", "measured", "is_exact", "told"),
    [
        (810, 800, True, (810, 800)),
        (1000, 800, True, (1000, 800)),
        (1100, 800, True, (None, 800)),
        (500, 800, True, (None, 800)),
        (None, 800, True, (None, 800)),
        (31, 81, False, (None, None)),
        (300, 500, False, (None, 500)),
        (700, 800, False, (700, 800)),
        (31, 0, False, (None, None)),  # after Continue, in memory from before
        (None, 0, False, (None, None)),
    ],
)
def test_an_estimate_is_told_only_beside_a_like_measurement(estimated, measured, is_exact, told):
    assert memory_plan.to_tell(estimated, Measured(measured, is_exact)) == told


def test_a_small_estimate_for_a_process_is_no_number(pictures, tmp_path, caplog):
    caplog.set_level("INFO")
    result = train(make_job(pictures, output__sheet=False), fake_ports(tmp_path))
    assert "The steps take less than 512 MB in addition to model and network; nothing is computed" in caplog.text
    assert result.estimated_mb is None
    assert result.memory_mb is None or f"took {result.memory_mb:.0f} MB at most" in caplog.text
    planned = memory_plan.MemoryPlan(Computing(), Activations(300 * MB, 0, 0), 0, 4000 * MB, is_exact=False)
    assert "The steps take about 300 MB" in planned.line()


def test_what_is_not_counted_is_left_out_of_the_steps_but_not_of_the_peak():
    def seen():
        memory = PeakMemory(torch.device("cpu"))
        with memory.not_counted():
            take(128)
        take(16)
        return memory.above_start_mb() < 100 and memory.peak_mb() > memory._start_mb + 100

    assert any(seen() for _ in range(TRIES))


def test_peak_memory_sees_what_was_taken_and_given_back():
    def seen():
        gc.collect()  # what another test left would be given back meanwhile
        memory = PeakMemory(torch.device("cpu"))
        take(64)
        return 50 < memory.above_start_mb() < 200

    assert any(seen() for _ in range(TRIES))
    assert free_bytes(torch.device("cpu")) > MB


def test_an_attention_that_cannot_be_had_is_refused_with_the_plan(pictures, tmp_path, monkeypatch):
    from hypernetwork_workbench.hypernetworks.kernels import attention

    monkeypatch.setattr(attention.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"train\.attention: xformers is not installed"):
        make_plan(make_job(pictures, train__attention="xformers"), fake_ports(tmp_path))


def test_encoders_are_away_while_steps_are_taken(pictures, tmp_path):
    for is_wanted in (True, False):
        ports = fake_ports(tmp_path / str(is_wanted))
        log = []

        @contextmanager
        def unloaded(log=log):
            log.append("away")
            yield
            log.append("back")

        class Telling(FakeProgress):
            def report(self, done, total, text, log=log):
                if text.startswith("step"):
                    log.append(done)

        ports.encoder.unloaded = unloaded
        object.__setattr__(ports, "progress", Telling())
        train(make_job(pictures, train__max_steps=2, train__unload_encoders=is_wanted, output__sheet=False), ports)
        assert log == (["away", 1, 2, "back"] if is_wanted else [1, 2])


@pytest.mark.parametrize("free_mb", [1 << 20, 0])
def test_latents_and_conditionings_stay_on_the_device_where_they_fit(pictures, tmp_path, monkeypatch, free_mb):
    """On a stand-in for a device, told by its number, and where moves are written down."""
    from hypernetwork_workbench.hypernetworks.data.encoding import conditionings, latents, views

    moved = []
    for module in (views, conditionings):
        monkeypatch.setattr(module, "move", lambda tensor, device: (moved.append(tensor.shape), tensor)[1])
    monkeypatch.setattr(latents, "free_bytes", lambda _: free_mb * MB)
    ports = fake_ports(tmp_path)
    plan = make_plan(make_job(pictures, data__shuffle_tags=True, data__latents="random"), ports)
    data = encode(plan.training, ports.encoder, ports.progress)
    state = make_state(plan.job, plan.network, ports.denoiser)
    before = data.batch((0,), 0)

    class OnGpu(FakeDenoiser):
        device = types.SimpleNamespace(type="gpu")

    trainer.make_trainer(plan, OnGpu(), data, state)
    assert bool(moved) == bool(free_mb)
    assert torch.equal(data.batch((0,), 0).latents, before.latents)
    count = len(moved)
    data.batch((0,), 1)
    assert (len(moved) > count) == bool(free_mb)  # the texts of the next epoch, too


def test_a_host_that_keeps_its_own_weights_is_told_of_before_the_run(pictures, tmp_path, monkeypatch):
    ports = fake_ports(tmp_path)
    job = make_job(pictures, train__unet_storage="fp8")
    make_plan(job, ports)
    monkeypatch.setattr(ports.denoiser, "storable_bytes", lambda: None)
    with pytest.raises(SettingsError, match=r"train\.unet_storage: this host keeps its own weights"):
        make_plan(job, ports)


def test_a_host_whose_blocks_cannot_be_compiled_is_told_of_before_the_run(pictures, tmp_path, monkeypatch):
    ports = fake_ports(tmp_path)
    job = make_job(pictures, train__compile_unet=True)
    make_plan(job, ports)
    monkeypatch.setattr(ports.denoiser, "can_compile", False)
    with pytest.raises(SettingsError, match=r"train\.compile_unet: this host's U-Net cannot be compiled"):
        make_plan(job, ports)
    make_plan(make_job(pictures), ports)


def test_a_run_that_compiles_says_so_or_why_it_cannot(pictures, tmp_path, monkeypatch):
    ports = fake_ports(tmp_path)
    monkeypatch.setattr(compiled, "_DEVICES", ("cpu",))
    monkeypatch.setattr(compiled, "obstacle", lambda device: "")
    job = make_job(pictures, train__compile_unet=True)
    plan = make_plan(job, ports)
    assert "The first step compiles the U-Net, which takes minutes." in plan.remarks
    assert plan.memory.computing.compiles
    monkeypatch.setattr(compiled, "obstacle", lambda device: "nothing is here")
    assert "The U-Net is not compiled: nothing is here." in make_plan(job, ports).remarks
    assert not any("compile" in remark for remark in make_plan(make_job(pictures), ports).remarks)


def test_weights_in_eight_bits_and_compiled_blocks_do_not_go_together(pictures):
    with pytest.raises(SettingsError, match=r"train\.compile_unet: is not possible with a U-Net in fp8"):
        make_job(pictures, train__compile_unet=True, train__unet_storage="fp8")
