"""Python's reader of TOML; in Python 3.10 the library that it was before."""

import sys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["tomllib"]
