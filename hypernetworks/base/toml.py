"""Python's TOML reader, or in Python 3.10 the library from which it was made."""

import sys

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["tomllib"]
