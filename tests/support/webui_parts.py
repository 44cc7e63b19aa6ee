"""Stand-ins for the parts of the WebUI that the embedded host has no use for: their names, arguments and faults."""

from __future__ import annotations

import importlib
import json
import re
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

from torch.utils.data import Sampler

_ALLOWED = re.compile(r"^([^/]+)/((data/\d+)|version|byteorder|.data/serialization_id|(data\.pkl))$")
_MISSING = object()


def check_zip_filenames(filename, names):
    """As in `modules.safe`."""
    for name in names:
        if not _ALLOWED.match(name):
            raise ValueError(f"bad file inside {filename}: {name}")


def re_entrant(self, x, context=None):
    """As the forwards in `modules.sd_hijack_checkpoint`."""
    from torch.utils.checkpoint import checkpoint

    return checkpoint(self._forward, x, context, use_reentrant=True)


class GroupedBatchSampler(Sampler):
    """As in `modules.textual_inversion.dataset`."""

    def __init__(self, data_source, batch_size):
        super().__init__(data_source)
        self.batch_size = batch_size


def create_hypernetwork(  # noqa: PLR0917
    name,
    enable_sizes,
    overwrite_old,
    layer_structure=None,
    activation_func=None,
    weight_init=None,
    add_layer_norm=False,
    use_dropout=False,
    dropout_structure=None,
):
    """As in `modules.hypernetworks.hypernetwork`; does nothing."""


def train_hypernetwork(  # noqa: PLR0917
    id_task,
    hypernetwork_name,
    learn_rate,
    batch_size,
    gradient_step,
    data_root,
    log_directory,
    training_width,
    training_height,
    varsize,
    steps,
    clip_grad_mode,
    clip_grad_value,
    shuffle_tags,
    tag_drop_out,
    latent_sampling_method,
    use_weight,
    create_image_every,
    save_hypernetwork_every,
    template_filename,
    preview_from_txt2img,
    preview_prompt,
    preview_negative_prompt,
    preview_steps,
    preview_sampler_name,
    preview_cfg_scale,
    preview_seed,
    preview_width,
    preview_height,
):
    """As in `modules.hypernetworks.hypernetwork`; does nothing."""


def handle_create(name, enable_sizes, overwrite_old, *others):
    """As `create_hypernetwork` in `modules.hypernetworks.ui`."""


def handle_train(*args):
    """As `train_hypernetwork` in `modules.hypernetworks.ui`."""


def skip(state):
    """As `State.skip` in `modules.shared_state`."""
    state.skipped = True


def stop_generating(state):
    """As `State.stop_generating` in `modules.shared_state`."""
    state.stopping_generation = True


def js(self):
    """As `Processed.js` in `modules.processing`."""
    return json.dumps({"infotexts": self.infotexts})


def run(self, p, *args):
    """As `ScriptRunner.run` in `modules.scripts`, where no script is chosen."""


class Api:
    """As in `modules.api.api`."""

    def interruptapi(self):
        from modules import shared

        shared.state.interrupt()
        return {}


_FUNCTIONS = {"create_hypernetwork": create_hypernetwork, "train_hypernetwork": train_hypernetwork}
_PARTS = {
    "modules.hypernetworks.hypernetwork": _FUNCTIONS,
    "modules.hypernetworks.ui": {"create_hypernetwork": handle_create, "train_hypernetwork": handle_train},
    "modules.api": {},
    "modules.api.api": {**_FUNCTIONS, "Api": Api},
    "modules.shared:State": {"skip": skip, "stop_generating": stop_generating},
    "modules.processing:Processed": {"js": js},
    "modules.scripts:ScriptRunner": {"run": run},
    "modules.safe": {"check_zip_filenames": check_zip_filenames},
    "modules.sd_hijack_checkpoint": {
        f"{name}_forward": re_entrant for name in ("BasicTransformerBlock", "ResBlock", "AttentionBlock")
    },
    "modules.textual_inversion.dataset": {"GroupedBatchSampler": GroupedBatchSampler},
}


@contextmanager
def added() -> Iterator[None]:
    """For its length the embedded host has them."""
    before = []
    made = []
    try:
        for place, parts in _PARTS.items():
            name, _, owner = place.partition(":")
            try:
                module = importlib.import_module(name)
            except ModuleNotFoundError:
                module = sys.modules[name] = types.ModuleType(name)
                module.__path__ = []
                made.append(name)
            holder = getattr(module, owner) if owner else module
            for attribute, part in parts.items():
                before.append((holder, attribute, getattr(holder, attribute, _MISSING)))
                setattr(holder, attribute, part)
        yield
    finally:
        for holder, attribute, part in reversed(before):
            if part is _MISSING:
                delattr(holder, attribute)
            else:
                setattr(holder, attribute, part)
        for name in made:
            del sys.modules[name]
