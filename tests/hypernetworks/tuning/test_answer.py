"""The answer of a study: table, importance, pictures, settings and TensorBoard."""

import csv
import io

import pytest
from hypernetwork_workbench.hypernetworks import tuning
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from hypernetwork_workbench.hypernetworks.tuning.answer import Answer
from hypernetwork_workbench.hypernetworks.tuning.page import page
from hypernetwork_workbench.hypernetworks.tuning.trials import StudyError
from PIL import Image

from tests.support.studies import tune

RANGES = "schedule.rate = [0.001, 0.01, 5e29]\nnetwork.activation = [relu, mish]"


@pytest.fixture
def answer(pictures, tmp_path):
    """Return the answer of a grid in which two of six trials fail."""
    result = tune(
        pictures,
        tmp_path,
        ranges=RANGES,
        method="grid",
        trials=0,
        optimizer__name="SGD",
        train__rollback_after=1,
        output__tensorboard=True,
    )
    return Answer.of(tuning.open_kept(result.study.folder))


def test_a_kept_study_has_a_table_with_the_best_first_and_failures_last(answer):
    head, rows = answer.rows()
    assert head == ["trial", "state", "validation loss", "schedule.rate", "network.activation", *head[5:]]
    assert head[5:] == ["steps", "seconds", "loss", "problem"]
    assert [row[1] for row in rows] == ["complete"] * 4 + ["failed"] * 2
    losses = [row[2] for row in rows[:4]]
    assert losses == sorted(losses)
    assert rows[0][0] == answer.best[0].number + 1
    assert "finite" in rows[5][-1]
    read = list(csv.reader(io.StringIO(answer.csv())))
    assert read[0] == head
    assert [float(row[2]) for row in read[1:5]] == losses
    assert (answer.study.folder / "table.csv").read_text(encoding="utf-8-sig") == answer.csv()


def test_the_settings_of_the_best_trial_are_a_job_file_that_gives_its_network(answer):
    job = Job.from_mapping(read_tables(answer.study.folder / "best.toml"))
    assert job == answer.study.taken(answer.best[0])
    assert job.output.name == "fake"
    assert job.output.dir == ""
    assert job.schedule.rate == answer.study.settings_of(answer.best[0])["schedule.rate"]


def test_the_sheet_has_a_row_for_each_trial_and_a_column_for_each_prompt(answer):
    with Image.open(answer.study.folder / "sheet.png") as sheet:
        assert sheet.height == 4 * 150 + 24
        columns = len(list((answer.study.folder_of(answer.best[0]) / "prompts").iterdir()))
        assert sheet.width == 6 + columns * (128 + 6)


def test_importance_names_what_the_losses_go_by():
    from dataclasses import replace

    from hypernetwork_workbench.hypernetworks.tuning import Trial
    from hypernetwork_workbench.hypernetworks.tuning.space import Space, parse

    class Kept:
        space = Space(
            tuple(parse("schedule.rate = 1e-4..1 log\nnetwork.activation = [relu, mish]\ntrain.seed = 1..99"))
        )

    trials = []
    for number in range(30):
        rate, seed = 1e-4 * 1.35**number, (number * 37) % 99 + 1
        point = {"schedule.rate": rate, "network.activation": ["relu", "mish"][number % 2], "train.seed": seed}
        trials.append(Trial(number, "complete", point, (rate + 0.001 * (number % 2),)))
    found = Answer(Kept, tuple(trials), ()).importance()
    assert found[0][0] == "schedule.rate"
    assert found[0][1] > 0.8
    assert all(share < 0.2 for _, share in found[1:])
    reversed_ = [replace(trial, values=(float(trial.number % 2),)) for trial in trials]
    found = Answer(Kept, tuple(reversed_), ()).importance()
    assert found[0] == ("network.activation", 1.0)
    assert Answer(Kept, tuple(trials[:3]), ()).importance() == [], "too few to tell"
    Kept.space = Space(tuple(parse("schedule.rate = 1e-4..1 log")))
    assert Answer(Kept, tuple(trials), ()).importance() == [], "alone it has nothing to be compared with"


def test_the_page_shows_all_of_it_and_marks_the_best(answer):
    html = page(answer)
    best = answer.best[0]
    assert f"<tr class='hnw-best'><td>{best.number + 1}</td>" in html
    assert html.count("<tr class='hnw-best'>") == 1
    for words in ("Learning rate", "Activation", "What mattered", "Trials as lines", "Loss curves", "failed"):
        assert words in html
    assert html.count("<polyline") >= 4 + 4
    assert "No trial is over yet." in page(Answer(answer.study, (), ()))


def test_tensorboard_has_losses_and_settings_of_each_trial_once(answer):
    folder = answer.study.folder / "tensorboard"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*tfevents*"))
    whole = sorted(answer.study.name_of(trial) for trial in answer.ranked)
    assert sorted({name.partition("/")[0] for name in files}) == whole
    answer.write()
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*tfevents*")) == files


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(StudyError, match="there is no study in"):
        tuning.open_kept(tmp_path)
