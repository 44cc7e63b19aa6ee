"""Files that are no network in the folder of the real WebUI, and networks that came after its start."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.real_host.webui import PICTURE, ApiError, WebUI
from tests.support import other_files

API = "/hypernetwork-workbench/v1"
WIDTHS = (96, 64, 128)
KINDS = ("embedding_webui", "lora_kohya", "sd1", "yolo_v8", "civitai_login", "git_lfs", "zip_with_network", "gguf")


@pytest.fixture(scope="module")
def place(host: WebUI, folder: Path) -> Path:
    """Return the folder of networks, with a file of each kind in it and one network, none of them listed yet."""
    found = folder / "models" / "hypernetworks"
    for kind in KINDS:
        suffix = ".safetensors" if "safetensors" in other_files.CASES[kind][1] else ".pt"
        (found / f"other {kind}{suffix}").write_bytes(other_files.CASES[kind][2]())
    files.save(Hypernetwork.create(Structure(init_std=0.15), WIDTHS, 3), found / "copied.pt")
    (found / "copied.pt").rename(found / "copied.PT")
    files.save(Hypernetwork.create(Structure(init_std=0.15), WIDTHS, 4), found / "renamed.pt")
    (found / "renamed.pt").rename(found / "renamed.ckpt")
    return found


def infotext(host: WebUI, prompt: str) -> str:
    """Return the infotext of a picture."""
    answer: Any = host.call("/sdapi/v1/txt2img", {**PICTURE, "prompt": prompt})
    return str(json.loads(answer["info"])["infotexts"][0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_and_the_log_say_what_a_file_is(host: WebUI, place: Path, kind: str) -> None:
    name, what = f"other {kind}", other_files.CASES[kind][0]
    with pytest.raises(ApiError, match="not a hypernetwork") as caught:
        host.call(f"{API}/inspect?name={urllib.parse.quote(name)}")
    assert f"it is {what}, not a hypernetwork; " in str(caught.value)
    said = infotext(host, f"a red circle<hypernet:{name}:1><hypernet:copied:0.5>")
    assert f'Hypernetwork hashes: "copied: {files.short_hash(place / "copied.PT")}"' in said
    assert f"Hypernetwork {name} was not used: " in host.log
    assert f"it is {what}, not a hypernetwork; " in host.log


@pytest.mark.parametrize("tag", ["<hypernet:copied:０．５>", "＜hypernet：copied：50%＞", "<hypernet:copied.PT:.5>"])
def test_a_network_copied_meanwhile_is_used_as_it_is_typed(host: WebUI, place: Path, tag: str) -> None:
    assert files.short_hash(place / "copied.PT") in infotext(host, f"a red circle{tag}")


def test_a_network_of_another_ending_is_named(host: WebUI, place: Path) -> None:
    infotext(host, "a red circle<hypernet:renamed:1>")
    assert "there is no hypernetwork of this name (renamed.ckpt is a hypernetwork; let its name end in .pt)" in host.log
    with pytest.raises(ApiError, match=r"renamed\.ckpt is a hypernetwork"):
        host.call(f"{API}/inspect?name=renamed")
