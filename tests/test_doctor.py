"""What `pricelab doctor` looks at, and the cure it gives."""

import socket
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants

from pricelab import cli, doctor, installed
from pricelab.doctor import Check, Report


def test_a_report_covers_the_machine_and_every_requirement(monkeypatch):
    monkeypatch.setattr(installed.metadata, "requires", lambda _: ["torch>=2.11", 'pytest>=8; extra == "test"'])
    checks = {check.name: check for check in doctor.examine().checks}
    assert {"Python", "torch", "device", "dtype", "memory", "disk", "model hub", "profile"} <= set(checks)
    assert "pytest" not in checks, "what only an extra asks for is no requirement"


def test_the_text_marks_each_problem_and_says_its_cure():
    report = Report((Check("disk", "full", "make room"), Check("Python", "3.11")))
    assert str(report) == "! disk    full\n          cure: make room\n  Python  3.11\n\n1 problem found"
    assert report.as_dict()["problems"] == 1


@pytest.mark.parametrize("requirement", ["no-such-package>=1", "pytest>=999"])
def test_a_missing_or_old_package_is_a_problem_with_its_cure(requirement, monkeypatch):
    monkeypatch.setattr(installed.metadata, "requires", lambda _: [requirement])
    (check,) = doctor._packages()
    assert check.cure == f'pip install "{requirement}"'


def test_a_note_is_told_and_is_no_problem():
    report = Report((Check("bf16", "none", note="nothing to do"), Check("Python", "3.11")))
    assert str(report) == "  bf16    none\n          note: nothing to do\n  Python  3.11\n\nThis machine will do."
    assert "nothing to do" in report._repr_html_()


def test_in_a_notebook_problems_come_first_and_good_packages_share_a_line():
    packages = [Check(name, "1.0", package=True) for name in ("numpy", "peft")]
    shown = Report((Check("Python", "3.11"), Check("disk", "full", "make room"), *packages))._repr_html_()
    assert shown.index("make room") < shown.index("Python") < shown.index("2 as required: numpy 1.0, peft 1.0")
    well = Report((Check("Python", "3.11"), *packages))._repr_html_()
    assert "what to do" in shown and "what to do" not in well


def test_known_hazards_are_looked_for_and_one_that_breaks_hides_nothing_else(monkeypatch):
    def broken():
        yield Check("torchao", "old", "remove it")
        raise OSError("no such library")

    monkeypatch.setattr(doctor, "hazards", broken)
    monkeypatch.setattr(installed.metadata, "requires", lambda _: [])
    names = [check.name for check in doctor.examine().problems]
    assert names[-2:] == ["torchao", "hazards"]


def test_too_little_memory_or_disk_is_a_problem(monkeypatch):
    memory = namedtuple("memory", "available total")(1e9, 8e9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert "close other programs" in doctor._memory().cure
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: namedtuple("usage", "free")(1e9))
    assert "PRICELAB_CACHE" in doctor._disk().cure


def test_on_colab_the_cure_for_little_memory_is_another_machine(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr("psutil.virtual_memory", lambda: namedtuple("memory", "available total")(1e9, 13e9))
    assert "Disconnect and delete runtime" in doctor._memory().cure


def test_weights_that_come_from_the_hub_count_as_needed_disk(monkeypatch):
    """Qwen3-1.7B-Base has 1.72 B parameters (its model card), 3.4 GB in 16 bits."""
    monkeypatch.setenv("PRICELAB_PROFILE", "colab")
    assert doctor._download_gb() == pytest.approx(3.44, abs=0.01)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: namedtuple("usage", "free")(4e9))
    assert "wants 5.4 GB" in doctor._disk().cure
    monkeypatch.setenv("PRICELAB_PROFILE", "laptop")
    assert not doctor._disk().cure
    monkeypatch.setenv("PRICELAB_PROFILE", "huge")
    assert doctor._download_gb() == 0


def test_a_cache_that_cannot_be_made_is_a_problem(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path / "file" / "cache"))
    assert "PRICELAB_CACHE" in doctor._disk().cure


def test_the_command_names_the_cache_and_a_notebook_that_others_read_does_not(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PRICELAB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    shown = doctor.examine()
    assert str(tmp_path) not in f"{shown}{shown._repr_html_()}{shown.as_dict()}"
    with pytest.raises(SystemExit):
        cli.main(["doctor"])
    assert f"GB free for the cache in {tmp_path}\n" in capsys.readouterr().out


def test_an_unknown_profile_is_a_problem_that_names_the_known_ones(monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "huge")
    assert "laptop" in doctor._profile().cure


# ---- the model hub


def test_offline_flags_are_respected(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(doctor, "reachable", lambda _: pytest.fail("asked the network"))
    assert "stay offline" in doctor._hub().value


@pytest.mark.parametrize("answer, words", [(True, "reachable"), (False, "not reachable")])
def test_the_hub_is_reported_and_never_a_problem(answer, words, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(doctor, "reachable", lambda _: answer)
    assert words in doctor._hub().value and not doctor._hub().cure


@pytest.fixture
def server():
    """A local HTTP server; ``status`` is what it answers to HEAD."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


@pytest.mark.parametrize("status, expected", [(200, True), (403, False), (503, False)])
def test_only_a_good_answer_counts_as_reachable(status, expected, server):
    server.status = status
    assert doctor.reachable(f"http://127.0.0.1:{server.server_port}/") is expected


def test_nobody_there_is_not_reachable():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not doctor.reachable(f"http://127.0.0.1:{unused.getsockname()[1]}/")


def test_a_server_that_never_answers_does_not_hang_the_doctor():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not doctor.reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_seconds=0.3)
        assert time.monotonic() - start < 2
