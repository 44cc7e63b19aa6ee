"""Classes of installed packages by name, as `module.Class`: of packages on a list alone, and never code from a file."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...base import numbers
from ...base.errors import SettingsError
from ...base.outside import shown
from ...base.suggestions import meant, or_known

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Shelf:
    """The modules that classes of one kind may come from.

    Attributes:
        setting: the setting that names a class, for errors.
        what: what the classes are, in the plural.
        packages: modules with the package to install for each; their submodules may be named too.
        base: the class that all of them derive from.
        home: the module of a class that is named without one.
    """

    setting: str
    what: str
    packages: Mapping[str, str]
    base: type
    home: str

    def place(self, name: str) -> tuple[str, str, str]:
        """Return module, class and package that a name stands for; nothing is imported.

        Raises:
            SettingsError: it is no name of a class, or of a module that is not on the list.
        """
        plain = numbers.plain(name).strip()
        if len(plain) > _MOST_CHARACTERS or not _NAME.fullmatch(plain):
            raise SettingsError(self.setting, f"must be the name of a class or module.Class, not {shown(name)}")
        module, _, attribute = plain.rpartition(".")
        module = module or self.home
        listed = next((one for one in self.packages if module == one or module.startswith(f"{one}.")), None)
        if listed is None:
            raise self._foreign(module)
        return module, attribute, self.packages[listed]

    def find(self, name: str) -> type | None:
        """Return the class of a name; None where its package is not installed.

        Raises:
            SettingsError: the name is none of these classes.
        """
        module, attribute, _ = self.place(name)
        if not is_installed(module):
            return None
        try:
            found = getattr(importlib.import_module(module), attribute, None)
        except Exception:  # a broken installation raises whatever it likes; the run tells what it lacks
            return None
        if inspect.isclass(found) and issubclass(found, self.base) and found is not self.base:
            return found
        known = self.names(module)
        if not known:
            raise self._foreign(module)
        advice = or_known(meant(attribute, known), known)
        raise SettingsError(self.setting, f"{module} has no {attribute} among its {self.what}; {advice}")

    def _foreign(self, module: str) -> SettingsError:
        known = ", ".join(self.packages)
        return SettingsError(self.setting, f"{module} is no module that {self.what} may come from; known are {known}")

    def check(self, field: str, name: str, otherwise: str) -> None:
        """Raise SettingsError, which names `field`, for a name of none of these classes.

        One whose package is missing is refused where the run starts, so that forms and files still open.

        Args:
            otherwise: why a name without a module is refused.
        """
        try:
            self.find(name)
        except SettingsError as error:
            raise SettingsError(field, error.reason if "." in name else otherwise) from error

    def names(self, module: str) -> list[str]:
        """Return the names of the classes that an installed module offers."""
        members: Mapping[str, Any] = vars(importlib.import_module(module))
        return [
            name
            for name, one in members.items()
            if not name.startswith("_") and inspect.isclass(one) and issubclass(one, self.base) and one is not self.base
        ]


def is_installed(module: str) -> bool:
    """Tell whether the package of a module is there; the module itself may be missing in an old version of it."""
    return importlib.util.find_spec(module.partition(".")[0]) is not None
