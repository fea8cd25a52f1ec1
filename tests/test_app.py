"""`pricelab app` without a browser: what it refuses before anything is served, the page it writes, its template."""

import asyncio
import builtins
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from pricelab import app, app_page, cli

TINY = Path(__file__).parents[1] / "data" / "adapters" / "tiny"


@pytest.fixture
def command(capsys):
    """Run the command line in this process: (exit code, what it said to stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            cli.main(["app", *map(str, arguments), "--no-browser"])
        return leaving.value.code, capsys.readouterr().err

    return run


def test_a_taken_port_is_said_with_the_cure(command):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = command(TINY, "--port", port)
    assert code == 2 and f"port {port}" in said and "--port" in said and "Traceback" not in said


def test_port_zero_takes_a_free_one():
    assert app.free_port("127.0.0.1", 0) > 0


def test_a_folder_that_is_no_run_is_refused_before_anything_is_served(command, tmp_path):
    code, said = command(tmp_path, "--port", 0)
    assert code == 2 and str(tmp_path) in said and "no run" in said
    code, said = command(tmp_path / "gone", "--port", 0)
    assert code == 2 and "not a folder" in said


def test_a_changed_run_is_refused(command, tmp_path):
    for file in TINY.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with open(tmp_path / "ridge.json", "a") as file:
        file.write(" ")
    code, said = command(tmp_path, "--port", 0)
    assert code == 2 and "ridge.json" in said and "changed" in said


def test_without_voila_the_command_that_installs_it_is_named(command, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "voila":
            raise ModuleNotFoundError("No module named 'voila'", name="voila")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    code, said = command(TINY, "--port", 0)
    assert code == 2 and 'pip install "pricelab[app]"' in said


def test_the_address_is_one_that_a_browser_here_can_open():
    assert app.url("0.0.0.0", 80) == "http://127.0.0.1:80/"
    assert app.url("::1", 80) == "http://[::1]:80/"


def test_the_page_names_its_run_and_quotes_its_folder(tmp_path):
    folder = tmp_path / 'it\'s a "run"'
    page = app_page.notebook(folder, "<b>base</b>")
    assert page.metadata.title == app_page.TITLE and "<b>base</b>" in page.metadata.pricelab.words
    shown = []
    exec(page.cells[0].source.replace("from pricelab.app_page import show", ""), {"show": shown.append})
    assert shown == [str(folder)]


def test_a_run_that_does_not_load_is_told_in_words_on_the_page(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    app_page.show(str(tmp_path / "<script>"))
    (told,) = shown
    assert "did not load" in told.data and "&lt;script&gt;" in told.data and "<script>" not in told.data


@pytest.mark.parametrize("path", sorted(app.TEMPLATES.rglob("*.*")), ids=lambda path: path.name)
def test_the_template_names_no_other_machine(path):
    assert not re.search(r"(https?:)?//[a-z0-9-]+\.", path.read_text(encoding="utf-8"), re.IGNORECASE)


def test_the_search_path_of_jupyter_is_left_as_it_was(monkeypatch):
    import os

    for before in (None, "/somewhere"):
        monkeypatch.delenv("JUPYTER_PATH", raising=False)
        if before:
            monkeypatch.setenv("JUPYTER_PATH", before)
        with app._own_templates():
            assert os.environ["JUPYTER_PATH"].startswith(str(app.TEMPLATES))
        assert os.environ.get("JUPYTER_PATH") == before


def test_a_process_that_does_not_end_holds_nobody_up(monkeypatch):
    async def never():
        await asyncio.Event().wait()

    monkeypatch.setattr(app, "END_S", 0.1)
    page = app._voila()()
    page.connection_dir, page.kernel_manager = "gone already", SimpleNamespace(shutdown_all=never)
    page.ioloop = SimpleNamespace(run_sync=lambda work: asyncio.run(work()))
    page.stop()  # else this test would never end
