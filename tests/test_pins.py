"""The pinned versions: each named once, and what of them the page depends on without saying so."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from standalone import environment
from tests import sources


def test_every_requirement_is_pinned_once_for_each_python():
    seen: dict[tuple[str, str], str] = {}
    for name in (environment.REQUIREMENTS, environment.NO_DEPENDENCIES, environment.TESTS, environment.CONSTRAINTS):
        for line in (sources.ROOT / "standalone" / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                continue
            pin, _, marker = line.partition(";")
            package, equals, version = pin.strip().partition("==")
            assert equals, f"{name}: {line}"
            assert "+" not in version, f"{name}: {line}"
            key = (package.lower().replace("_", "-"), marker.strip())
            assert key not in seen, f"{package} is in {seen[key]} and in {name}"
            seen[key] = name
    assert len(seen) > 50


@pytest.mark.parametrize("name", ["README.md", "README.ja.md", "README.zh.md"])
def test_the_readme_names_the_versions_that_are_run(name: str):
    pins = {}
    for file in (environment.REQUIREMENTS, environment.TESTS):
        for line in (sources.ROOT / "standalone" / file).read_text(encoding="utf-8").splitlines():
            package, _, version = line.partition(";")[0].strip().partition("==")
            pins[package] = version
    named = re.findall(r"`([\w-]+)` (\d[\d.]*\d)", (sources.ROOT / name).read_text(encoding="utf-8"))
    assert {package for package, _ in named} >= {
        "torch",
        "pillow",
        "bitsandbytes",
        "pillow-heif",
        "tensorboard",
        "wandb",
        "onnxruntime",
    }
    assert {package: pins.get(package) for package, _ in named} == dict(named)


def test_gradio_may_wait_for_long_jobs():
    """Gradio 3.41 sends each queued job to itself with a ready-made request; a timeout put on it ends the job."""
    limits = []

    def answer(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions.get("timeout"))
        return httpx.Response(200)

    async def send() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            await client.send(httpx.Request("POST", "http://127.0.0.1/api/predict"))

    asyncio.run(send())
    assert limits == [None]
