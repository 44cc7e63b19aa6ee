#!/usr/bin/env python3
"""Sets up Hypernetwork Workbench once, then starts it: `python3 launch.py --help` lists the commands.

No annotations and nothing newer than Python 2.7's grammar in this file: an unsupported Python can then read it as far
as the sentence that says which ones are supported.
"""

import sys

OLDEST = (3, 10)
NEWEST = (3, 12)


def main():
    if not OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        sys.stderr.write(
            "Hypernetwork Workbench needs Python 3.10, 3.11 or 3.12, and this is Python %d.%d (%s).\n"
            % (sys.version_info[0], sys.version_info[1], sys.executable)
        )
        return 2
    from standalone import launcher

    return launcher.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
