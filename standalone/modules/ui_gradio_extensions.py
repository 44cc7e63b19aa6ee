"""Puts the host's and the extensions' scripts and styles into gradio's page, and takes the network out of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gradio as gr

from modules import paths_internal, scripts

_original_response = gr.routes.templates.TemplateResponse
_REMOTE = re.compile(rb"<(?:link|script)[^>]*(?:href|src)=\"https?://[^>]*>(?:\s*</script>)?")


def theme() -> gr.themes.Base:
    """gradio's theme with the system's own fonts: nothing is fetched."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], spacing_size="sm", text_size="md"
    )


def webpath(path: str) -> str:
    """A file's address in the page; changes with the file, so that no browser shows an old one."""
    return f"file={path}?{Path(path).stat().st_mtime}"


def javascript_html() -> str:
    """The script tags: the host's first, then the extensions'."""
    own = str(Path(paths_internal.standalone_path, "javascript", "host.js"))
    files = [own, *(script.path for script in scripts.list_scripts("javascript", ".js"))]
    modules = [script.path for script in scripts.list_scripts("javascript", ".mjs")]
    tags = [f'<script type="text/javascript" src="{webpath(path)}"></script>' for path in files]
    return "\n".join(tags + [f'<script type="module" src="{webpath(path)}"></script>' for path in modules])


def css_html() -> str:
    """The style tags: the host's first, then the extensions'."""
    files = [str(Path(paths_internal.standalone_path, "style.css")), *scripts.list_files_with_name("style.css")]
    return "\n".join(f'<link rel="stylesheet" property="stylesheet" href="{webpath(path)}">' for path in files)


def reload_javascript() -> None:
    """Makes gradio answer with the page as it now should be."""
    head, body = javascript_html(), css_html()

    def template_response(*args: Any, **kwargs: Any) -> Any:
        response = _original_response(*args, **kwargs)
        page = _REMOTE.sub(b"", response.body)
        page = page.replace(b"</head>", f'{head}<meta name="referrer" content="no-referrer"></head>'.encode())
        response.body = page.replace(b"</body>", f"{body}</body>".encode())
        response.init_headers()
        return response

    gr.routes.templates.TemplateResponse = template_response


def allowed_paths() -> list[str]:
    """Files that the page may fetch: scripts, styles and pictures."""
    folders = [Path(paths_internal.standalone_path, "javascript"), Path(paths_internal.standalone_path, "style.css")]
    own = [script.path for ending in (".js", ".mjs") for script in scripts.list_scripts("javascript", ending)]
    return [*map(str, folders), *own, *scripts.list_files_with_name("style.css"), paths_internal.data_path]
