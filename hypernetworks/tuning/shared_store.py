"""A study in a database that several machines share: Optuna's storage, which its own tools can read too.

The number of a trial here is an attribute there. A worker that dies leaves a failed trial, and its place is taken by a
new one with the same values, so that each number is done once.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..base.errors import SettingsError
from . import optuna_package
from .space import Space
from .trials import (
    BEAT_S,
    COMPLETE,
    FAILED,
    GRACE_S,
    PRUNED,
    RUNNING,
    TAKEN_UP,
    WAITING,
    StudyError,
    Trial,
    is_gone,
    me,
)

_log = logging.getLogger(__name__)
_NUMBER, _POINT, _FACTS, _WORKER, _DEFINITION = "number", "point", "facts", "worker", "definition"
#: What a trial has taken so far, and that its worker has left it.
_SPENT, _LEFT = "spent", "left"
#: Also with signs that an address has only in their coded form.
_PASSWORDS = re.compile(r"(//[^:/@\s]*:)\S*(?=@)|([?&]password=)[^&\s]*")
_HIDDEN = r"\1\2***"
_PATIENCE_S = 30.0
_TRIES, _PAUSE_S = 5, 0.3


class SharedStore:
    """The study `name` in the database at an address, which is made where it does not exist.

    Raises:
        SettingsError: a package is missing; says how to install it.
        StudyError: the database cannot be opened.
    """

    def __init__(self, url: str, name: str, space: Space, objectives: int) -> None:
        self._optuna = optuna_package.load("--study", "a shared study")
        self._url, self._space, self._me = _with_driver(url), space, me()
        self._states = self._optuna.trial.TrialState
        self._database_error = importlib.import_module("sqlalchemy.exc").SQLAlchemyError
        self._storage = self._opened()
        with self._using():
            study = self._optuna.create_study(
                storage=self._storage,
                study_name=name,
                directions=["minimize"] * objectives,
                sampler=self._optuna.samplers.RandomSampler(seed=0),
                load_if_exists=True,
            )
            self._study = self._storage.get_study_id_from_name(study.study_name)
            if len(study.directions) != objectives:
                raise StudyError(f"the study {name} has another number of objectives; choose another name")
        self._mine: dict[int, int] = {}

    def define(self, text: str) -> str:
        """Keep what the study is made of, unless it is kept already or `text` is empty; return what is kept."""
        with self._using():
            if text and _DEFINITION not in self._storage.get_study_user_attrs(self._study):
                self._storage.set_study_user_attr(self._study, _DEFINITION, text)
            return str(self._storage.get_study_user_attrs(self._study).get(_DEFINITION, ""))

    def trials(self) -> list[Trial]:
        """Return all trials that were begun, by number."""
        return [self._read(found) for _, found in sorted(self._present().items())]

    def claim(self, number: int) -> Trial | None:
        """Take a trial that nobody has, or that a dead worker had; None where it is over or another's."""
        with self._using():
            found = self._present().get(number)
            if found is not None and found.state == self._states.RUNNING and self._is_dead(found):
                found = self._give_up(found)
            if found is None:
                self._storage.create_new_trial(self._study, self._fresh(number))
                found = self._present()[number]  # another's, if that was the first of two
            if found.state != self._states.WAITING:
                return None
            id_ = found._trial_id
            if not self._storage.set_trial_state_values(id_, self._states.RUNNING):
                return None
            self._storage.set_trial_user_attr(id_, _WORKER, self._me)
            self._storage.record_heartbeat(id_)
            self._mine[number] = id_
            return self._read(self._storage.get_trial(id_))

    def set_point(self, number: int, point: Mapping[str, Any]) -> None:
        """Keep the values that this worker's trial tries."""
        kinds = optuna_package.distributions(self._optuna, self._space)
        params = optuna_package.labelled(self._space, point)
        with self._using(), self._unless_over():
            self._storage.set_trial_user_attr(self._mine[number], _POINT, dict(point))
            for name, kind in kinds.items():
                self._storage.set_trial_param(self._mine[number], name, kind.to_internal_repr(params[name]), kind)

    def report(self, number: int, part: int, value: float) -> None:
        """Keep what was measured on the way."""
        with self._using(), self._unless_over():
            self._storage.set_trial_intermediate_value(self._mine[number], part, value)

    def finish(self, number: int, state: str, values: Sequence[float], facts: Mapping[str, Any]) -> None:
        """End this worker's trial; `WAITING` gives it back, for whoever comes next.

        Where another worker has taken it up meanwhile, nothing is kept.
        """
        id_ = self._mine.pop(number)
        with self._using(), self._unless_over(TAKEN_UP, number + 1):
            if state == WAITING:
                self._storage.set_trial_user_attr(id_, _SPENT, dict(facts))
                self._give_up(self._storage.get_trial(id_))
                return
            self._storage.set_trial_user_attr(id_, _FACTS, dict(facts))
            known = {COMPLETE: self._states.COMPLETE, PRUNED: self._states.PRUNED, FAILED: self._states.FAIL}
            self._storage.set_trial_state_values(id_, known[state], list(values) if state == COMPLETE else None)

    def beat(self, number: int, spent: Mapping[str, Any]) -> None:
        """Say that the worker of the trial is alive, and what the trial has taken so far, as facts."""
        with self._using(), self._unless_over():
            self._storage.record_heartbeat(self._mine[number])
            self._storage.set_trial_user_attr(self._mine[number], _SPENT, dict(spent))

    def _present(self) -> dict[int, Any]:
        """Return the trial that counts of each number: the first that no dead worker left behind."""
        found: dict[int, Any] = {}
        with self._using():
            for trial in self._storage.get_all_trials(self._study, deepcopy=False):
                number = trial.user_attrs.get(_NUMBER)
                told = trial.user_attrs
                is_left = trial.state == self._states.FAIL and (_LEFT in told or _FACTS not in told)
                if isinstance(number, int) and not is_left:
                    found.setdefault(number, trial)
        return found

    def _is_dead(self, trial: Any) -> bool:
        worker = trial.user_attrs.get(_WORKER)
        is_stale = trial._trial_id in self._storage._get_stale_trial_ids(self._study)
        return is_stale or (worker is not None and is_gone(worker))

    def _give_up(self, trial: Any) -> Any:
        """End a trial whose worker is gone, put one with the same values in its place, and return that."""
        try:
            self._storage.set_trial_user_attr(trial._trial_id, _LEFT, True)
            self._storage.set_trial_state_values(trial._trial_id, self._states.FAIL)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            pass  # somebody else did it, and puts another in its place
        else:
            self._storage.create_new_trial(self._study, self._fresh(trial.user_attrs[_NUMBER], trial))
        return self._present().get(trial.user_attrs[_NUMBER])

    def _fresh(self, number: int, before: Any = None) -> Any:
        kept = {key: value for key, value in before.user_attrs.items() if key in (_POINT, _SPENT)} if before else {}
        return self._optuna.trial.create_trial(
            state=self._states.WAITING,
            params=before.params if before else {},
            distributions=before.distributions if before else {},
            intermediate_values=before.intermediate_values if before else {},
            user_attrs={_NUMBER: number, **kept},
        )

    def _read(self, trial: Any) -> Trial:
        states = self._states
        known = {
            states.WAITING: WAITING,
            states.RUNNING: RUNNING,
            states.COMPLETE: COMPLETE,
            states.PRUNED: PRUNED,
            states.FAIL: FAILED,
        }
        return Trial(
            number=trial.user_attrs[_NUMBER],
            state=known[trial.state],
            point=trial.user_attrs.get(_POINT, {}),
            values=tuple(trial.values) if trial.state == states.COMPLETE else (),
            reports=tuple(sorted(trial.intermediate_values.items())),
            facts=trial.user_attrs.get(_FACTS) or trial.user_attrs.get(_SPENT, {}),
        )

    def _opened(self) -> Any:
        """Return the database; of several workers that make it at the same time, all but one must look again."""
        for _ in range(_TRIES - 1):
            try:
                return self._open()
            except StudyError:
                time.sleep(_PAUSE_S)
        return self._open()

    def _open(self) -> Any:
        is_file = self._url.startswith("sqlite")
        with self._using():
            storage = self._optuna.storages.RDBStorage(
                self._url,
                heartbeat_interval=int(BEAT_S),
                grace_period=int(GRACE_S),
                engine_kwargs={"connect_args": {"timeout": _PATIENCE_S}} if is_file else {},
            )
        if is_file:
            _lock_from_the_start(storage.engine)
        return storage

    @contextmanager
    def _using(self) -> Iterator[None]:
        try:
            with optuna_package.quiet():
                yield
        except (self._optuna.exceptions.OptunaError, self._database_error, OSError) as error:
            place, reason = without_password(self._url), without_password(str(error))
            raise StudyError(f"the study at {place} cannot be used: {reason}") from error

    @contextmanager
    def _unless_over(self, said: str = "", *given: object) -> Iterator[None]:
        """Pass over what comes too late: another worker has taken the trial for left, and is at it."""
        try:
            yield
        except self._optuna.exceptions.UpdateFinishedTrialError:
            if said:
                _log.warning(said, *given)


def _lock_from_the_start(engine: Any) -> None:
    """Let each transaction of SQLite lock the file before it reads, as other databases lock what they read.

    SQLite has no locks for that: two workers would both find a trial free, and both take it.
    """
    event = importlib.import_module("sqlalchemy.event")
    # Python's driver would begin transactions by itself, and only where something is written.
    event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    engine.dispose()  # the connections that are open already


def without_password(text: str) -> str:
    """Return a text with the passwords of addresses in it hidden."""
    return _PASSWORDS.sub(_HIDDEN, text)


def _with_driver(url: str) -> str:
    """Return an address that names the driver of PostgreSQL that is here; raises SettingsError where none is."""
    scheme, _, rest = url.partition("://")
    if scheme != "postgresql":
        return url
    for driver in ("psycopg", "psycopg2"):
        if importlib.util.find_spec(driver):
            return f"postgresql+{driver}://{rest}"
    advice = f"needs the package psycopg, which is not installed: run {sys.executable} -m pip install psycopg[binary]"
    raise SettingsError("--study", advice)
