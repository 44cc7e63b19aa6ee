"""The process that runs TensorBoard for `board`; it ends when the one that started it does, however that ends."""

from __future__ import annotations

import os
import sys
import threading


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the other end of the pipe is closed
    os._exit(0)


if __name__ == "__main__":
    from tensorboard import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    main.run_main()
