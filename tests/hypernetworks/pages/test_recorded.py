"""What a file keeps of its making, as pages show it: settings by section, recipes of merges, what others wrote."""

from __future__ import annotations

import json
import re

from hypernetwork_workbench.hypernetworks.pages import recorded
from hypernetwork_workbench.hypernetworks.train.settings.job import OTHER_NAMES, SECTIONS, Job

FORM = recorded.JobForm(SECTIONS, {"data": {"framing": "buckets"}}, OTHER_NAMES)


def job(**tables) -> dict:
    given = {"network": {}, "data": {"folder": "night", "framing": "buckets"}, "output": {"name": "n"}}
    return Job.from_mapping({**given, **tables}).to_mapping()


def words(page: str) -> str:
    return re.sub(r"<[^>]+>", "|", str(page).replace("<!---->", ""))


def test_every_setting_of_a_job_stands_once_under_its_label_in_the_fold_of_its_section():
    tables = job()
    folds, rest = recorded.split(tables, FORM)
    assert [len(fold.rows) for fold in folds] == [len(table) for table in tables.values()]
    for fold, kind in zip(folds, SECTIONS.values(), strict=True):
        assert [row.label for row in fold.rows] == [option.label for _, _, option in kind.options()]
        assert fold.title not in SECTIONS
    assert rest == {}
    assert not re.search(r"\b(data|train|output)\.\w", words(recorded.settings(tables, FORM)))


def test_what_has_not_its_default_is_marked_with_the_default():
    folds, _ = recorded.split(job(train={"max_steps": 77}, optimizer={"name": "Lion"}), FORM)
    changed = {(fold.title, row.label): (row.value, row.usual) for fold in folds for row in fold.rows if row.usual}
    assert ("77", str(SECTIONS["train"].max_steps)) in changed.values()
    assert ("Lion", SECTIONS["optimizer"].name) in changed.values()
    assert "buckets" not in [value for value, _ in changed.values()]
    page = recorded.settings(job(train={"max_steps": 77}), FORM)
    assert page.count("class='hnw-changed'") == sum(fold.changed for fold in recorded.split(job(), FORM)[0]) + 1
    assert "|1 changed|" in words(page)


def test_a_value_written_in_another_way_is_no_change():
    folds, _ = recorded.split({"train": {"max_steps": str(SECTIONS["train"].max_steps), "seed": [1]}}, FORM)
    assert [row.usual is None for row in folds[0].rows] == [True, False]


def test_what_the_form_does_not_know_is_shown_as_it_is():
    page = words(recorded.training({"settings": {"train": {"new": 5}, "else": 6}, "speed": {"mean": 7}}, FORM))
    for row in ("settings.train.new||5", "settings.else||6", "speed.mean||7"):
        assert row in page


def test_the_facts_of_a_run_have_labels():
    training = {"dataset": {"name": "night", "pictures": 12}, "run": "ab12", "saved": "2026-01-02T03:04:05+0900"}
    training["seed"] = 7
    page = words(recorded.training(training, FORM))
    for row in ("Dataset||night", "Pictures||12", "Run||ab12", "Saved||2026-01-02 03:04:05+0900", "Seed||7"):
        assert row in page


def test_a_recipe_names_method_networks_and_options_also_of_merges_of_merges():
    inner = {"method": "weighted_sum", "networks": [{"name": "c", "weight": 0.25, "step": 3}]}
    networks = [{"name": "a", "weight": 1.0, "step": 7, "hash": "ff00"}, {"name": "b", "weight": 0.5, "merge": inner}]
    recipe = {"method": "svd", "networks": networks, "rank": 16, "block_weights": {"768.k": [1, 0]}}
    page = words(recorded.training({"merge": recipe}, FORM))
    for part in (
        "SVD (differences from A, cut to a rank)",
        "Rank||16",
        "a||1.0||7||ff00",
        "block_weights.768.k||[1, 0]",
    ):
        assert part in page
    assert "|b|" in page.partition("Weighted sum")[0]
    assert "c||0.25||3||–" in page


def test_settings_of_another_trainer_have_the_labels_of_ours_and_tables_their_own_fold():
    extra = {"ss_learning_rate": "1e-4", "ss_tag_frequency": json.dumps({"night": {"moon": 3}}), "odd": "{no json"}
    page = words(recorded.foreign(extra, FORM))
    assert "|Learning rate|ss_learning_rate||1e-4|" in page
    assert "night.moon||3" in page
    assert "odd||{no json" in page


def test_deep_and_endless_metadata_leave_a_page():
    recipe: dict = {"method": "svd"}
    for _ in range(200):
        recipe = {"method": "svd", "networks": [{"name": "n", "merge": recipe}] * 2}
    assert len(recorded.training({"merge": recipe}, FORM)) < 1_000_000
    assert "and 700 more" in words(recorded.foreign({f"k{i}": i for i in range(1000)}, FORM))
    assert recorded.foreign({"a": "[" * 90_000}, FORM)
