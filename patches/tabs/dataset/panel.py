"""The panel of the tab Dataset: the survey, the caption that is edited, and the pictures to choose and select."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ....hypernetworks.base.options import Option
from ....hypernetworks.pages.dataset_pictures import ALL, ANY_PROBLEM, ANY_TAG, PER_PAGE, selection
from ....hypernetworks.pages.sentences import note
from ..frame import FIELD_PX, controls, progress_place
from .handlers import Components
from .view import NOTHING, ON_PAGE, PAGE

_ID = "hnw_dataset"
_BEFORE = "Press Look to see the pictures here, with their sizes, captions, tags and problems."
_WORDS = Option("Words", "In the name or caption.")
_KEYS = (
    "What you type is saved when you go on. → and ← go to the next and previous picture, in the caption Alt+↓ and "
    "Alt+↑. Ctrl+S saves. In the pictures below, arrows move, Space selects, Shift extends and Enter opens."
)


class Panel:
    """The widgets of the panel.

    Args:
        add_button: makes a button of the tab; takes its name, its text and gradio's options.
        statuses: gets the places for messages, by the name of what they are about.

    Attributes:
        components: those that show the survey.
        task: of the job that runs.
        tags: those for the pictures that are selected.
        picked: number of the picture that was pressed.
        selected: numbers of those that are selected.
    """

    def __init__(self, add_button: Callable[..., Any], statuses: dict[str, Any]) -> None:
        self._add_button, self._statuses = add_button, statuses
        self.task = gr.Textbox(visible=False)
        undo = self._controls()
        survey = gr.State(None)
        overview = gr.HTML(note(_BEFORE), elem_id=f"{_ID}_overview")
        editor = self._editor()
        with gr.Column(visible=False, elem_id=f"{_ID}_pictures") as pictures:
            chooser = self._chooser()
            self._selection()
            cards = gr.HTML(elem_id=f"{_ID}_cards")
        # Filled in and pressed by the page's script when a picture is pressed.
        self.picked = gr.Textbox("", elem_id=f"{_ID}_picked", elem_classes="hnw-hidden")
        self.picked.do_not_save_to_config = True
        self._add_button("pick", "Show the picture", elem_classes="hnw-hidden")
        for component in (*editor.values(), *chooser.values()):
            component.do_not_save_to_config = True
        shown = {"survey": survey, "overview": overview, "undo": undo, "pictures": pictures, "cards": cards}
        self.components = Components(**shown, **editor, **chooser)

    def _controls(self) -> Any:
        """Make the buttons that stay in sight, with what they answer; return Undo."""
        with controls(_ID):
            with gr.Row():
                self._add_button("look", "Look", variant="primary", scale=2)
                self._add_button("interrupt", "Interrupt")
            undo = self._add_button("undo", "Undo", visible=False, size="sm")
            progress_place(_ID)
            self._statuses["look"] = gr.HTML(elem_id=f"{_ID}_status")
            self._statuses["undo"] = gr.HTML(elem_id=f"{_ID}_undo_status")
        return undo

    def _editor(self) -> dict[str, Any]:
        """Make the place for a picture with its caption and tags beside it."""
        gr.HTML(elem_id=f"{_ID}_editor_place")
        with gr.Row(visible=False, elem_id=f"{_ID}_editor", equal_height=False) as editor:
            with gr.Column(min_width=FIELD_PX):
                chosen = gr.HTML(elem_id=f"{_ID}_chosen")
            with gr.Column(min_width=FIELD_PX):
                caption = gr.Textbox(label="Caption", lines=5, max_lines=12, elem_id=f"{_ID}_caption")
                tags = gr.HTML(elem_id=f"{_ID}_tag_editor")
                with gr.Row():
                    self._add_button("previous", "Previous picture", size="sm", min_width=90)
                    self._add_button("next", "Next picture", size="sm", min_width=90)
                with gr.Row():
                    self._add_button("save", "Save the caption", size="sm", min_width=90)
                    self._add_button("discard", "Discard the changes", size="sm", min_width=90)
                self._statuses["save"] = gr.HTML(elem_id=f"{_ID}_save_status")
                gr.HTML(note(_KEYS), elem_id=f"{_ID}_keys")
        number = gr.Number(NOTHING, precision=0, visible=False)
        held = gr.Textbox("", elem_id=f"{_ID}_held", elem_classes="hnw-hidden")
        return {
            "editor": editor,
            "chosen": chosen,
            "caption": caption,
            "tags": tags,
            "number": number,
            "held": held,
        }

    def _chooser(self) -> dict[str, Any]:
        """Make the fields that choose which pictures are shown."""
        with gr.Row(elem_id=f"{_ID}_bar"):
            show = gr.Dropdown([ALL], value=ALL, label="Show", min_width=FIELD_PX, elem_id=f"{_ID}_show")
            tag = gr.Dropdown(
                [ANY_TAG],
                value=ANY_TAG,
                label="With the tag",
                min_width=FIELD_PX,
                elem_id=f"{_ID}_tag",
                elem_classes="hnw-names",
            )
            problem = gr.Dropdown(
                [ANY_PROBLEM], value=ANY_PROBLEM, label="With the problem", min_width=FIELD_PX, elem_id=f"{_ID}_problem"
            )
            words = gr.Textbox(
                "", label=_WORDS.label, placeholder=_WORDS.help, min_width=FIELD_PX, elem_id=f"{_ID}_words", max_lines=1
            )
            page = gr.Number(1, label=PAGE.label, min_width=FIELD_PX, elem_id=f"{_ID}_page")
            per_page = gr.Number(PER_PAGE, label=ON_PAGE.label, min_width=FIELD_PX, elem_id=f"{_ID}_per_page")
        with gr.Row(elem_id=f"{_ID}_pages"):
            before = self._add_button("before", "Page before", interactive=False, size="sm", min_width=90)
            after = self._add_button("after", "Next page", interactive=False, size="sm", min_width=90)
        pager = gr.HTML(elem_id=f"{_ID}_pager")
        return {
            "show": show,
            "tag": tag,
            "problem": problem,
            "words": words,
            "page": page,
            "per_page": per_page,
            "pager": pager,
            "before": before,
            "after": after,
        }

    def _selection(self) -> None:
        """Make the buttons for the pictures that are selected in the page, and for their tags."""
        gr.HTML(selection(), elem_id=f"{_ID}_selection")
        with gr.Row(elem_id=f"{_ID}_selected_tags"):
            self.tags = gr.Textbox("", label="Tags of the selected pictures", min_width=FIELD_PX, max_lines=1)
            self.tags.elem_id, self.tags.do_not_save_to_config = f"{_ID}_tags_of_selected", True
            for name, text in (("add_first", "Add in front"), ("add_last", "Add at the end"), ("remove", "Remove")):
                self._add_button(name, text, size="sm", min_width=90)
        self._statuses["selected"] = gr.HTML(elem_id=f"{_ID}_selected_status")
        # The page's script enters numbers of pictures here.
        self.selected = gr.Textbox("", elem_id=f"{_ID}_selected", elem_classes="hnw-hidden")
        self.selected.do_not_save_to_config = True
