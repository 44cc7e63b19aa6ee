"""Who the host's page is there for."""

from __future__ import annotations

import os
from typing import Any

from modules import shared

from ...hypernetworks.server.origins import is_loopback

#: Flags with which the host, or an extension that opens a tunnel, is there for more than the machine itself; behind a
#: password no page that only borrows a name gets in.
_OPEN = ("listen", "share", "ngrok", "subpath", "gradio_auth", "gradio_auth_path")
_TUNNELS = ("cloudflared", "localhostrun", "remotemoe", "googleusercontent", "jprq", "bore")


def is_this_machine_only(demo: Any) -> bool:
    """Tell whether no flag lets other machines open the page `demo`."""
    if getattr(demo, "share", False) or any(getattr(shared.cmd_opts, name, None) for name in (*_OPEN, *_TUNNELS)):
        return False
    name = getattr(shared.cmd_opts, "server_name", None) or os.environ.get("GRADIO_SERVER_NAME")
    return not name or is_loopback(name.strip("[]"))
