"""A thousand seeded mutations of sound files end in a named error or a finite network, soon and in little memory."""

import io
import random
import time
import zipfile
from collections.abc import Callable

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Metadata, Structure

from tests.support.memory import peak_memory

MUTATIONS = 1_000
SLICES = 10
MEGABYTE = 1 << 20


def sound_files(folder) -> list[bytes]:
    """Sound files of every form."""
    structures = (
        Structure(),
        Structure((1, 1.5, 0.5, 1), "mish", layer_norm=True, dropout_structure=(0, 0.3, 0.1, 0)),
        Structure((1, 2, 1), "relu", skip_connection=True, upsample_linear=True),
    )
    found = []
    for seed, structure in enumerate(structures):
        network = Hypernetwork.create(structure, (8, 12), seed)
        network.metadata = Metadata("n", 5, training={"rate": 1e-5, "tags": ["a", "b"]}, extra={"x": (1, None, True)})
        for suffix in (".pt", ".safetensors"):
            files.save(network, folder / f"a{suffix}")
            found.append((folder / f"a{suffix}").read_bytes())
        state = torch.load(folder / "a.pt", weights_only=True)
        for new_zip in (True, False):
            buffer = io.BytesIO()
            torch.save(state, buffer, _use_new_zipfile_serialization=new_zip)
            found.append(buffer.getvalue())
    return found


def flip(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def flip_near_the_start(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 2, 4))):
        data[rng.randrange(min(len(data), 2000))] = rng.randrange(256)
    return bytes(data)


def cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def remove(data: bytearray, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    del data[place : place + rng.choice((1, 4, 100))]
    return bytes(data)


def double(data: bytearray, rng: random.Random) -> bytes:
    place, length = rng.randrange(len(data)), rng.choice((1, 8, 200))
    return bytes(data[: place + length] + data[place:])


def extreme(data: bytearray, rng: random.Random) -> bytes:
    place = rng.randrange(max(len(data) - 8, 1))
    data[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
    return bytes(data)


def within_members(data: bytearray, rng: random.Random) -> bytes:
    """Change bytes of a zip's description or numbers and put the checksums right again."""
    if data[:2] != b"PK":
        return flip_near_the_start(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    description = next(name for name in members if name.endswith("data.pkl"))
    chosen = description if rng.random() < 0.9 else rng.choice(list(members))
    change = rng.choice((flip, flip, extreme, remove, double, cut))
    members[chosen] = bytearray(change(members[chosen], rng))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(content))
    return buffer.getvalue()


CHANGES: tuple[Callable[[bytearray, random.Random], bytes], ...] = (
    *(flip, flip_near_the_start, cut, remove, double, extreme),
    *(within_members, within_members, within_members),
)


def loaded_or_reason(path) -> tuple[Hypernetwork | None, str]:
    try:
        return files.load(path), ""
    except HypernetworkFileError as reason:
        return None, str(reason)


@pytest.mark.parametrize("part", range(SLICES))
def test_mutated_files_end_in_a_named_error_or_a_finite_network(part, tmp_path):
    rng = random.Random(part)
    torch.manual_seed(part)
    sound = sound_files(tmp_path)
    path = tmp_path / "mutated.pt"
    reasons = set()
    loaded = 0
    for _ in range(MUTATIONS // SLICES):
        data = rng.choice(CHANGES)(bytearray(rng.choice(sound)), rng)
        path.write_bytes(data)
        start = time.thread_time()
        with peak_memory() as peak:
            network, reason = loaded_or_reason(path)
        assert time.thread_time() - start < 5
        assert peak.bytes < 4 * len(data) + 64 * MEGABYTE
        if network is None:
            assert reason.startswith("mutated.pt: ")
            reasons.add(reason)
        else:
            assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
            loaded += 1
    # Mutations that all ended alike would prove nothing.
    assert loaded > 0
    assert len(reasons) > 15
