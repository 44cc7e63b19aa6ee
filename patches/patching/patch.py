"""Reversible replacement of the host's functions.

A `Patch` replaces one attribute; a `PatchSet` groups the patches of one feature and switches them together.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...hypernetworks.base.errors import WorkbenchError

_log = logging.getLogger(__name__)
_MARK = "__hypernetwork_workbench_patch__"
_OURS = Path(__file__).parents[2]


class UnsupportedHostError(WorkbenchError):
    """The host lacks something that a patch needs; only the feature of that patch is off."""


class Reversible(Protocol):
    """A change of the host that can be undone."""

    @property
    def is_installed(self) -> bool:
        """Whether it is in place."""

    @property
    def is_needed(self) -> bool:
        """Whether this run of the host needs it."""

    def install(self) -> None:
        """Put it in place once; raises UnsupportedHostError where the host lacks something."""

    def uninstall(self) -> None:
        """Undo it."""


class Patch:
    """Replaces one function of the host.

    Args:
        target: the function, as `package.module:name` or `package.module:Class.name`.
        make: takes the original function and returns the one that replaces it.
        otherwise: the target in a host that lacks the first one.
        when: whether this run of the host needs the patch; where it does not, its set goes without it.

    Attributes:
        targets: all the names that the function may have.
    """

    def __init__(
        self,
        target: str,
        make: Callable[[Callable[..., Any]], Callable[..., Any]],
        otherwise: str | None = None,
        when: Callable[[], bool] | None = None,
    ) -> None:
        self.targets = (target, otherwise) if otherwise else (target,)
        self._make = make
        self._when = when
        self._installation: _Installation | None = None

    @property
    def target(self) -> str:
        """The first of `targets` that the host has."""
        return next((target for target in self.targets if _exists(target)), self.targets[0])

    @property
    def is_installed(self) -> bool:
        """Whether calls of the target run our function."""
        return self._installation is not None and self._installation.is_active

    @property
    def is_needed(self) -> bool:
        """Whether this run of the host needs it."""
        return self._when is None or self._when()

    def install(self) -> None:
        """Put our function in place, again on top if another one replaced it; do nothing if it runs already.

        Raises:
            UnsupportedHostError: the host lacks the function, or has an unknown version of it; names it.
        """
        owner, name = self._resolve()
        current = inspect.getattr_static(owner, name)
        if self._installation is not None:
            if _runs_below(self._installation.wrapper, current):
                self._installation.is_active = True  # if it was off, another patch on top of it had kept it there
                return
            if self._installation.owner is owner and self._installation.raw is current:
                # The same wrapper again, so that a page that imported it by value before it was off runs it again too.
                setattr(owner, name, self._installation.wrapper)
                self._installation.is_active = True
                return
            self._installation.is_active = False  # another one replaced it since: ours goes on top of that
        raw = self._without_ours(current)
        installation = _Installation(owner, name, raw)
        installation.wrapper = self._wrap(installation)
        setattr(owner, name, installation.wrapper)
        self._installation = installation

    @property
    def rivals(self) -> set[str]:
        """Names of other extensions whose functions run around ours, as far as `functools.wraps` shows."""
        if self._installation is None or not self._installation.is_active:
            return set()
        found: set[str] = set()
        layer = inspect.getattr_static(self._installation.owner, self._installation.name)
        while layer is not None:
            function = getattr(layer, "__func__", layer)
            found.update(_extension_of(function))
            layer = getattr(function, "__wrapped__", None)
        return found

    def uninstall(self) -> None:
        """Put the raw attribute back; if another patch is on top of ours, ours becomes a pass-through."""
        installation = self._installation
        if installation is None or not installation.is_active:
            return
        installation.is_active = False
        if inspect.getattr_static(installation.owner, installation.name, None) is installation.wrapper:
            raw = installation.raw
            while (mark := _mark_of(raw)) and mark[3:] and mark[3].wrapper is raw and not mark[3].is_active:
                raw = mark[1]  # that of another set, which was switched off below this one
            setattr(installation.owner, installation.name, raw)

    def _resolve(self) -> tuple[Any, str]:
        """Return the object that holds the target, and the target's name in it."""
        try:
            return _resolve(self.target)
        except (ImportError, AttributeError) as error:
            raise UnsupportedHostError(f"this WebUI has no {self.target.replace(':', '.')}") from error

    def _wrap(self, installation: _Installation) -> Any:
        raw = installation.raw
        kind = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
        original = raw.__func__ if kind else raw
        replacement = self._make(original)

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return replacement(*args, **kwargs) if installation.is_active else original(*args, **kwargs)

        _keep_types(wrapper, original)
        setattr(wrapper, _MARK, (self.target, raw, self._name, installation))
        return kind(wrapper) if kind else wrapper

    def _without_ours(self, current: Any) -> Any:
        """Return `current` without a wrapper that an earlier copy of this module left on it."""
        while True:
            mark = _mark_of(current)
            if not mark or mark[0] != self.target or mark[2:3] != (self._name,):
                return current
            current = mark[1]

    @property
    def _name(self) -> str:
        """What tells it from a patch of another set with the same target."""
        return f"{self._make.__module__.rpartition('.')[2]}.{self._make.__qualname__}"


def _mark_of(function: Any) -> tuple[Any, ...]:
    """Return the mark of a wrapper of ours: target, function below it, name and installation; else nothing."""
    mark: tuple[Any, ...] = getattr(getattr(function, "__func__", function), _MARK, ())
    return mark


def _keep_types(wrapper: Any, original: Callable[..., Any]) -> None:
    """Give a wrapper the types of the original's parameters, where they are written as text.

    FastAPI reads them in the module of the function that it is given, and there the host's names are unknown.
    """
    with contextlib.suppress(NameError, AttributeError, TypeError):  # a name that the host itself never imports
        wrapper.__signature__ = inspect.signature(original, eval_str=True)


def signature_with(function: Callable[..., Any], *parameters: str) -> inspect.Signature:
    """Return the signature of a function of the host that must have these parameters.

    Raises:
        UnsupportedHostError: it lacks some of them, so it is an unknown version.
    """
    signature = inspect.signature(function)
    lacking = [name for name in parameters if name not in signature.parameters]
    if lacking:
        raise UnsupportedHostError(f"{function.__module__}.{function.__name__} takes no {', '.join(lacking)}")
    return signature


def _resolve(target: str) -> tuple[Any, str]:
    module_name, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module_name)
    for part in owners:
        owner = getattr(owner, part)
    inspect.getattr_static(owner, name)
    return owner, name


def _exists(target: str) -> bool:
    try:
        _resolve(target)
    except (ImportError, AttributeError):
        return False
    return True


@dataclass
class _Installation:
    """One replacement of the attribute `name` of `owner`: `raw` is the old value, `wrapper` the new one."""

    owner: Any
    name: str
    raw: Any
    wrapper: Any = None
    is_active: bool = True


def _extension_of(function: Any) -> set[str]:
    """Return the name of the other extension that a function belongs to; empty for the host's and for our own."""
    parts = Path(getattr(getattr(function, "__code__", None), "co_filename", "")).parts
    if Path(*parts).is_relative_to(_OURS):
        return set()
    return {name for folder, name in itertools.pairwise(parts) if folder in {"extensions", "extensions-builtin"}}


def _runs_below(wrapper: Any, current: Any) -> bool:
    """Tell whether `current` is `wrapper` or wraps it, as far as `functools.wraps` shows."""
    while current is not None:
        if current is wrapper:
            return True
        current = getattr(current, "__wrapped__", None)
    return False


class PatchSet:
    """The patches of one feature: all of them are in place, or none.

    Args:
        name: short name, for the log and the settings.
        title: the feature in the user's words, for the message when it is off.
        patches: installed in this order, removed in reverse.
        mends: whether it repairs a part of the host that not every host has; without the part nothing is lost.
    """

    def __init__(self, name: str, title: str, patches: Sequence[Reversible], mends: bool = False) -> None:
        self.name = name
        self.title = title
        self.patches = tuple(patches)
        self.mends = mends
        self.problem: str | None = None
        _sets[name] = self

    @property
    def is_installed(self) -> bool:
        """Whether the feature is on."""
        return all(patch.is_installed for patch in self.patches if patch.is_needed)

    def install(self) -> bool:
        """Switch the feature on and return True. If the host does not support it, log that once and return False."""
        try:
            for patch in self.patches:
                if patch.is_needed:
                    patch.install()
        except UnsupportedHostError as error:
            self.uninstall()
            if self.problem is None:
                _log.log(logging.DEBUG if self.mends else logging.WARNING, "%s is off: %s.", self.title, error)
            self.problem = str(error)
            return False
        self.problem = None
        return True

    def uninstall(self) -> None:
        """Switch the feature off and give the host its own functions back."""
        for patch in reversed(self.patches):
            patch.uninstall()


#: The sets of this process, by name.
_sets: dict[str, PatchSet] = {}


def patch_set(name: str) -> PatchSet:
    """Return the set of this name, to find out whether a feature is on, and if not, why."""
    return _sets[name]
