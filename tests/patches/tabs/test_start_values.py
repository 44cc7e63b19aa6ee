"""What the forms start with."""

from types import SimpleNamespace


def test_a_new_job_is_framed_into_buckets_and_a_job_file_means_what_it_meant(host, monkeypatch, tmp_path):
    from hypernetwork_workbench.patches.tabs import start_values

    shared = host.module("shared")
    monkeypatch.setattr(shared, "cmd_opts", SimpleNamespace(hnw_job=None))
    assert start_values.tables()["data"] == {"framing": "buckets"}
    job = tmp_path / "job.toml"
    job.write_text("[data]\nfolder = 'x'\n[output]\nname = 'n'\n")
    monkeypatch.setattr(shared, "cmd_opts", SimpleNamespace(hnw_job=str(job)))
    assert start_values.tables()["data"]["framing"] == "square"
    monkeypatch.setattr(shared, "cmd_opts", SimpleNamespace(hnw_job=f'"file://{job}"'))
    assert start_values.tables()["data"]["folder"] == str(tmp_path / "x")
    job.write_text("[data]\n")
    assert start_values.tables()["data"] == {"framing": "buckets"}
