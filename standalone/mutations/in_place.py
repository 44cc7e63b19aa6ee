"""Changes functions of modules that are imported already, so that nothing need be imported again for a mutant."""

from __future__ import annotations

import gc
import inspect
from collections import defaultdict
from collections.abc import Iterator
from types import CodeType, FunctionType

from .mutants import Mutant

Functions = dict[str, list[FunctionType]]


def loaded() -> Functions:
    """Return all functions that there are, by the file that they come from."""
    found: Functions = defaultdict(list)
    for each in gc.get_objects():
        if type(each) is FunctionType:  # isinstance would ask objects that warn when they are asked
            found[each.__code__.co_filename].append(each)
    return found


def change(mutant: Mutant, functions: Functions) -> bool:
    """Give the changed functions of a module their new code.

    Returns:
        Whether that is the whole change: not where what runs at import differs, and then nothing is changed.
    """
    old = _compiled(mutant.path.read_text(encoding="utf-8"), mutant)
    new = _compiled(mutant.source, mutant)
    if not _same_at_import(old, new):
        return False
    pairs = [pair for pair in zip(_functions(old), _functions(new), strict=True) if pair[0] != pair[1]]
    there = functions.get(str(mutant.path), [])
    found = [(function, after) for before, after in pairs for function in there if function.__code__ == before]
    if not found or any(function.__code__.co_freevars != code.co_freevars for function, code in found):
        return False
    for function, code in found:
        function.__code__ = code
    return True


def _compiled(source: str, mutant: Mutant) -> CodeType:
    return compile(source, str(mutant.path), "exec", dont_inherit=True)


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_NEWLOCALS)


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _same_at_import(old: CodeType, new: CodeType) -> bool:
    """Tell whether two modules, or bodies of classes, differ in the code of functions alone."""
    if _is_function(old) or _is_function(new):
        return old.co_name == new.co_name and _same_within(old, new)
    plain = [[repr(one) for one in code.co_consts if not isinstance(one, CodeType)] for code in (old, new)]
    same = (old.co_code, old.co_names, plain[0]) == (new.co_code, new.co_names, plain[1])
    return same and _same_within(old, new)


def _same_within(old: CodeType, new: CodeType) -> bool:
    inner = _inner(old), _inner(new)
    return len(inner[0]) == len(inner[1]) and all(map(_same_at_import, *inner))


def _functions(code: CodeType) -> Iterator[CodeType]:
    for inner in _inner(code):
        if _is_function(inner):
            yield inner
        yield from _functions(inner)
