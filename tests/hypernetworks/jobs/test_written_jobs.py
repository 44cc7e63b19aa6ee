"""Two thousand seeded job files as people write them: each is the job that was meant, or one sentence that names it."""

import re
from collections import Counter

import pytest
from hypernetwork_workbench.hypernetworks.base import encodings, numbers, paths, suggestions
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs import train_files
from hypernetwork_workbench.hypernetworks.texts import toml, toml_reasons
from hypernetwork_workbench.hypernetworks.train.settings import job_file
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS, Job

from tests.support import written_jobs

COUNT = 2000
#: The page fills in a rate as it is written, and the layers of a new network belong to another tab.
SHOWN_AT_THE_FIELD = {"schedule.rate", "network.layer_structure"}
DEFAULTS = {f"{s}.{name}": getattr(kind, name) for s, kind in SECTIONS.items() for name, _, _ in kind.options()}


@pytest.fixture(autouse=True)
def home(monkeypatch):
    monkeypatch.setenv("HOME", written_jobs.HOME)
    monkeypatch.delenv("NOWHERE", raising=False)


def value_of(job, address):
    if address == "schedule.rate":
        return job.learning_rates().rate(0)
    section, _, name = address.partition(".")
    return getattr(getattr(job, section), name)


def fault(written, folder):
    """Return what is wrong with how a file was read; empty if it is what was meant."""
    path = folder / written.name
    path.write_bytes(written.content)
    try:
        job = Job.from_mapping(job_file.read_tables(path))
    except SettingsError as error:
        return fault_of_refusal(written, error)
    finally:
        path.unlink()
    if written.broken or written.refused:
        return f"was read, though: {written.broken or written.refused}"
    for address, default in DEFAULTS.items():
        meant = written.means.get(address, 0.00001 if address == "schedule.rate" else default)
        if value_of(job, address) != meant:
            return f"{address} is {value_of(job, address)!r}, and {meant!r} was meant"
    return ""


def fault_of_refusal(written, error):
    said = {one.field: one.reason for one in error.errors}
    if any("\n" in str(one) for one in error.errors):
        return f"more than one line for a mistake: {error}"
    if written.broken:
        is_right = len(said) == 1 and written.name in error.field and re.search(written.broken, str(error))
        return "" if is_right else f"said {error}, and not {written.broken}"
    if said.keys() != written.refused.keys():
        return f"said {said}, and not {written.refused}"
    wrong = {name: said[name] for name, words in written.refused.items() if not re.search(_regex(words), said[name])}
    return f"said {wrong}, and not {written.refused}" if wrong else ""


def _regex(words):
    return re.escape(words) if words.endswith("?") else words


def faults(folder, count=COUNT, most=5):
    found = []
    for seed in range(count):
        written = written_jobs.write_job(seed, folder)
        if wrong := fault(written, folder):
            found.append(f"{seed}: {wrong}\n{written.content!r}")
        if len(found) >= most:
            break
    return found


def test_every_job_is_what_was_meant_or_a_sentence_that_names_it(tmp_path):
    assert not faults(tmp_path), "\n\n".join(faults(tmp_path))


def test_the_page_reads_what_the_command_reads(tmp_path):
    for seed in range(COUNT):
        written = written_jobs.write_job(seed, tmp_path)
        if written.broken:
            with pytest.raises(SettingsError) as caught:
                train_files.read(written.content, written.name)
            assert re.search(written.broken.replace("the job file ", ""), str(caught.value)), seed
            continue
        loaded = train_files.read(written.content, written.name)
        for address, meant in written.means.items():
            if isinstance(meant, str) and meant.startswith(str(tmp_path)):
                continue  # a page is not told where the file lies
            if address not in SHOWN_AT_THE_FIELD:
                assert loaded.values[address] == meant, (seed, address)
        assert {error.field for error in loaded.errors} >= written.refused.keys() - SHOWN_AT_THE_FIELD, seed


def test_the_grammar_has_enough_of_everything(tmp_path):
    jobs = [written_jobs.write_job(seed, tmp_path) for seed in range(COUNT)]
    kinds = Counter("broken" if job.broken else "refused" if job.refused else "meant" for job in jobs)
    assert min(kinds.values()) > COUNT // 8, kinds
    assert len({job.content for job in jobs}) > COUNT * 0.95
    marks = Counter(job.content[:2] for job in jobs)
    assert min(marks[b"\xff\xfe"], marks[b"\xfe\xff"], marks[b"\xef\xbb"]) > 30
    assert sum(job.name.lower().endswith("json") for job in jobs) > 50


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (paths, "_check_signs", lambda path: None),
        (paths, "_of_address", lambda path: path),
        (paths, "_with_home", lambda path: path),
        (paths, "_BLANKS", " "),
        (paths, "_UNSEEN", ""),
        (paths, "_QUOTES", {'"': '"'}),
        (paths, "_OF_WINDOWS", re.compile("^x^")),
        (numbers, "comma_reason", lambda value: ""),
        (numbers, "_PLAIN", {}),
        (toml, "_plain", lambda text: text),
        (toml_reasons, "_about_signs", lambda line: ""),
        (encodings, "_MARKS", {b"\xef\xbb\xbf": "utf-8"}),
        (encodings, "likely", lambda data: ()),
        (suggestions, "_LIKENESS", 1.0),
        (job_file, "_anchored", lambda text, folder: text),
    ],
)
def test_a_broken_rule_is_seen(tmp_path, monkeypatch, module, name, broken):
    monkeypatch.setattr(module, name, broken)
    assert faults(tmp_path, most=1)
