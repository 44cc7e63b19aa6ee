"""Pictures: by seed, by sampler, with infotext, with extra networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from PIL import Image

LONG_PROMPT = "a red circle on a white background, " * 40


def make(host, **settings):
    processing = host.module("processing")
    defaults = {"prompt": "a red circle", "seed": 7, "steps": 7, "width": 64, "height": 64, "do_not_save_samples": True}
    return processing.process_images(processing.StableDiffusionProcessingTxt2Img(**{**defaults, **settings}))


def pixels(picture):
    return np.asarray(picture, dtype=np.int16)


def test_same_seed_gives_the_same_picture_and_another_seed_another(host):
    first, again, other = make(host), make(host), make(host, seed=8)
    assert np.array_equal(pixels(first.images[0]), pixels(again.images[0]))
    assert np.abs(pixels(first.images[0]) - pixels(other.images[0])).max() > 10


def test_prompt_and_negative_prompt_change_the_picture(host):
    plain, other, negative = make(host), make(host, prompt="blue squares"), make(host, negative_prompt="blue squares")
    assert not np.array_equal(pixels(plain.images[0]), pixels(other.images[0]))
    assert not np.array_equal(pixels(plain.images[0]), pixels(negative.images[0]))


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M SDE"])
def test_picture_depends_on_its_own_seed_only(host, sampler):
    batch = make(host, seed=5, batch_size=3, n_iter=2, sampler_name=sampler).images
    for offset in (0, 2, 4):
        alone = make(host, seed=5 + offset, sampler_name=sampler).images[0]
        assert np.abs(pixels(alone) - pixels(batch[offset])).max() <= 1


def test_generating_leaves_the_random_stream_alone(host):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    make(host, sampler_name="Heun")
    assert torch.equal(before, torch.random.get_rng_state())


def sampler_names():
    names = "DPM++ 2M|DPM++ SDE|DPM++ 2M SDE|DPM++ 2S a|DPM++ 3M SDE|Euler a|Euler|LMS|Heun|DPM2|DPM2 a|DDIM|PLMS"
    return names.split("|")


def test_the_sampler_list_is_the_tested_one(host):
    assert [sampler.name for sampler in host.module("sd_samplers").all_samplers] == sampler_names()


@pytest.mark.parametrize("sampler", sampler_names())
@pytest.mark.parametrize("steps", [1, 7])
def test_every_sampler_runs_with_any_number_of_steps(host, sampler, steps):
    result = make(host, sampler_name=sampler, steps=steps, cfg_scale=2)
    assert pixels(result.images[0]).std() > 0


@pytest.mark.parametrize("schedule", ["Uniform", "Karras", "Exponential"])
def test_schedules_fall_from_the_largest_noise_to_zero(host, schedule):
    samplers = host.module("sd_samplers")
    sampler = samplers.create_sampler("Euler", host.model)
    sigmas = samplers.sigmas_of(schedule, sampler.model_wrap, 7)
    assert len(sigmas) == 8
    assert (sigmas.diff() < 0).all()
    assert sigmas[-1] == 0
    assert sigmas[0] == pytest.approx(sampler.model_wrap.sigma_max.item(), rel=1e-4)


def test_ddim_agrees_with_its_published_update(host):
    """Song et al. 2021, eq. 12 with sigma 0, written out in the scaled latents."""
    samplers = host.module("sd_samplers")
    alphas = host.model.alphas_cumprod.double()
    context = host.model.get_learned_conditioning(["a red circle"])
    start = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    x = start.double()
    steps = [801, 601, 401, 201, 1]
    with torch.no_grad():
        for step, earlier in zip(steps, [*steps[1:], 0], strict=True):
            eps = host.model.apply_model(x.float(), torch.tensor([step]), context).double()
            clean = (x - (1 - alphas[step]).sqrt() * eps) / alphas[step].sqrt()
            x = alphas[earlier].sqrt() * clean + (1 - alphas[earlier]).sqrt() * eps
    processing = host.module("processing")
    p = processing.StableDiffusionProcessingTxt2Img(steps=5, cfg_scale=1, sampler_name="DDIM")
    found = samplers.create_sampler("DDIM", host.model).sample(p, start, context, context)
    assert torch.allclose(found.double(), x, atol=2e-3)


def test_plms_agrees_with_its_published_update(host):
    """Liu et al. 2022, eq. 12 and 13, with the first step of the method's own code, in the scaled latents."""
    samplers = host.module("sd_samplers")
    alphas = host.model.alphas_cumprod.double()
    context = host.model.get_learned_conditioning(["a red circle"])
    start = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))

    def noise(x, step):
        return host.model.apply_model(x.float(), torch.tensor([step]), context).double()

    def moved(x, eps, step, earlier):
        clean = (x - (1 - alphas[step]).sqrt() * eps) / alphas[step].sqrt()
        return alphas[earlier].sqrt() * clean + (1 - alphas[earlier]).sqrt() * eps

    x, old = start.double(), []
    steps = [801, 601, 401, 201, 1]
    with torch.no_grad():
        for step, earlier in zip(steps, [*steps[1:], 0], strict=True):
            old = [noise(x, step), *old][:4]
            if len(old) == 1:
                eps = (old[0] + noise(moved(x, old[0], step, earlier), earlier)) / 2
            elif len(old) == 2:
                eps = (3 * old[0] - old[1]) / 2
            elif len(old) == 3:
                eps = (23 * old[0] - 16 * old[1] + 5 * old[2]) / 12
            else:
                eps = (55 * old[0] - 59 * old[1] + 37 * old[2] - 9 * old[3]) / 24
            x = moved(x, eps, step, earlier)
    processing = host.module("processing")
    p = processing.StableDiffusionProcessingTxt2Img(steps=5, cfg_scale=1, sampler_name="PLMS")
    found = samplers.create_sampler("PLMS", host.model).sample(p, start, context, context)
    assert torch.allclose(found.double(), x, atol=2e-3)


def test_interrupting_returns_what_there_is(host):
    state = host.module("shared").state
    state.begin("test")
    sampler = host.module("sd_samplers").create_sampler("Euler", host.model)
    seen = []
    sampler._callback = lambda progress: (seen.append(progress["i"]), state.interrupt())
    context = host.model.get_learned_conditioning([""])
    p = host.module("processing").StableDiffusionProcessingTxt2Img(steps=9)
    latents = sampler.sample(p, torch.zeros(1, 4, 8, 8), context, context)
    state.begin("after")
    state.end()
    assert seen == [0]
    assert latents.shape == (1, 4, 8, 8)


def test_sizes_that_the_unet_halves_unevenly(host):
    assert make(host, width=72, height=88).images[0].size == (72, 88)


def test_long_prompts_are_encoded_in_chunks(host):
    assert len(make(host, prompt=LONG_PROMPT).images) == 1
    context = host.model.get_learned_conditioning([LONG_PROMPT, "short"])
    assert context.shape[1] > 77
    assert context.shape[1] % 77 == 0


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("Width", {"width": 70}),
        ("Height", {"height": 0}),
        ("Steps", {"steps": 0}),
        ("Steps", {"steps": None}),
        ("Steps", {"steps": 2.5}),
        ("CFG scale", {"cfg_scale": 0.5}),
        ("Seed", {"seed": "many"}),
        ("Seed", {"seed": 2**32}),
        ("Batch size", {"batch_size": 0}),
        ("Sampling method", {"sampler_name": "Nobody's"}),
        ("Schedule type", {"scheduler": "Bus"}),
    ],
)
def test_wrong_settings_are_named(host, field, settings):
    with pytest.raises(SettingsError) as error:
        make(host, **settings)
    assert error.value.field == field


def test_infotext_round_trip_through_a_file(host, tmp_path):
    result = make(
        host,
        prompt='a "red", circle: <hypernet:none:0.5>\nsecond line',
        negative_prompt="blurry, bad",
        outpath_samples=str(tmp_path),
        do_not_save_samples=False,
        extra_generation_params={"Note": "with, comma: and colon", "Empty": None},
    )
    (file,) = tmp_path.rglob("*.png")
    infotext = host.module("infotext_utils")
    with Image.open(file) as picture:
        text = picture.info["parameters"]
    assert text == result.info
    values = infotext.parse_generation_parameters(text)
    assert values["Prompt"] == 'a "red", circle: <hypernet:none:0.5>\nsecond line'
    assert values["Negative prompt"] == "blurry, bad"
    assert values["Note"] == "with, comma: and colon"
    assert "Empty" not in values
    assert [values[key] for key in ("Steps", "Sampler", "Seed", "Size-1", "Size-2")] == [
        "7",
        "Euler a",
        "7",
        "64",
        "64",
    ]


def test_infotext_of_the_webui_is_read(host):
    text = (
        "1girl, solo\nNegative prompt: lowres, bad\n"
        "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 1234, Size: 512x768, "
        'Model hash: abcdef0123, Model: some model, Lora hashes: "a: b, c: d", Version: v1.10.1'
    )
    values = host.module("infotext_utils").parse_generation_parameters(text)
    assert values["Prompt"] == "1girl, solo"
    assert values["Lora hashes"] == "a: b, c: d"
    assert values["Model"] == "some model"
    assert values["Size-2"] == "768"
