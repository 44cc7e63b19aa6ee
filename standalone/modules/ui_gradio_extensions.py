"""Puts the host's and the extensions' scripts and styles into gradio's page, and keeps the page off the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gradio as gr

from modules import extensions, localization, paths, shared

_original_response = gr.routes.templates.TemplateResponse
_REMOTE = re.compile(rb"<(?:link|script)[^>]*(?:href|src)=\"https?://[^>]*>(?:\s*</script>)?")


def theme() -> gr.themes.Base:
    """Return gradio's theme with the system's own fonts, so that nothing is fetched."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], spacing_size="sm", text_size="md"
    )


def webpath(path: Path) -> str:
    """Return a file's address in the page; changes with the file, so that no browser shows an old one."""
    return f"file={path}?{path.stat().st_mtime}"


def _scripts() -> list[Path]:
    """Return the host's scripts first, then the extensions'."""
    own = [Path(paths.standalone_path, "javascript", name) for name in ("host.js", "columns.js", "localization.js")]
    return [*own, *extensions.files("javascript/*.js")]


def _styles() -> list[Path]:
    return [Path(paths.standalone_path, "style.css"), *extensions.files("style.css")]


def reload_javascript() -> None:
    """Make gradio answer with the current page."""
    words = f'<script type="text/javascript">{localization.localization_js(shared.opts.localization)}</script>'
    scripts = [f'<script type="text/javascript" src="{webpath(path)}"></script>' for path in _scripts()]
    head = "\n".join([words, *scripts])
    body = "\n".join(f'<link rel="stylesheet" property="stylesheet" href="{webpath(path)}">' for path in _styles())

    def template_response(*args: Any, **kwargs: Any) -> Any:
        response = _original_response(*args, **kwargs)
        page = _REMOTE.sub(b"", response.body)
        page = page.replace(b"</head>", f'{head}<meta name="referrer" content="no-referrer"></head>'.encode())
        response.body = page.replace(b"</body>", f"{body}</body>".encode())
        response.init_headers()
        return response

    gr.routes.templates.TemplateResponse = template_response


def page_files() -> list[Path]:
    """Return the files that the page itself is made of: scripts and styles."""
    return [*_scripts(), *_styles()]
