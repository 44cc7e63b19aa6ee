"""A form with a preview below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..form import Form


class PreviewHandlers:
    """Functions for the events of a form whose effect is shown before anything is written.

    Args:
        form: the fields.
        preview: the component below them.
    """

    def __init__(self, form: Form, preview: Any) -> None:
        self.form, self._preview = form, preview

    @property
    def inputs(self) -> list[Any]:
        """Components whose values `look` takes."""
        return self.form.components

    @property
    def shown(self) -> list[Any]:
        """Components that `look` updates."""
        return [*self.form.messages, self._preview]

    def show(self, preview: str, problems: Mapping[str, str] | None = None) -> list[Any]:
        """Return updates of `shown`: sentences at the fields they are about, and the preview."""
        return [*self.form.message_updates(problems or {}), preview]
