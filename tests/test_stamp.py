"""Badge and install source are written into notebooks and taken out again, and nothing else changes."""

import copy
import subprocess

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.cli import main
from pricelab.normalise import source_hash
from pricelab.stamp import Place, repo_of, repo_of_remote, stamp, stamped

TITLE = "# 07 · Fine-tune\n\n**By the end** you have.\n\n- one [link](https://example.org)"
SET_UP = (
    'SOURCE = ""  # @param {"type":"string"}\nif "google.colab" in str(get_ipython()):\n    %pip install "{SOURCE}"'
)
PLACE = Place("some-owner/some.repo")


@pytest.fixture
def notebook():
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell(TITLE, id="title"),
        v4.new_code_cell(SET_UP, id="set-up"),
        v4.new_code_cell("1 + 1", id="sum", execution_count=2, outputs=[v4.new_output("stream", text="2")]),
    ]
    made = v4.new_notebook(cells=cells, metadata={"pricelab": {"profile": "laptop"}})
    made.metadata["pricelab"]["source_hash"] = source_hash(made)
    return made


@pytest.fixture
def workbook(notebook, tmp_path, monkeypatch):
    """A folder with two notebooks and the working directory in it."""
    (tmp_path / "notebooks").mkdir()
    for name in ("00_a", "01_b"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(nbformat.writes(notebook) + "\n")
    monkeypatch.chdir(tmp_path)
    return sorted((tmp_path / "notebooks").iterdir())


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(["stamp", *arguments])
    return left.value.code


def test_the_badge_opens_this_very_notebook_and_the_cell_installs_from_the_same_place(notebook):
    stamped(notebook, "notebooks/07_x.ipynb", PLACE)
    heading, _, badge, _, following, *_ = notebook.cells[0].source.split("\n")
    assert heading == "# 07 · Fine-tune" and following == "**By the end** you have."
    assert badge.endswith(
        "(https://colab.research.google.com/github/some-owner/some.repo/blob/main/notebooks/07_x.ipynb)"
    )
    assert notebook.cells[1].source.startswith('SOURCE = "git+https://github.com/some-owner/some.repo@main"  # @param')


@given(st.lists(st.sampled_from([PLACE, Place("other/one", "feature/x"), None]), min_size=1, max_size=4))
def test_only_the_last_stamp_counts_and_taking_it_out_leaves_no_trace(places):
    before = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(TITLE, id="title"), nbformat.v4.new_code_cell(SET_UP, id="set-up")]
    )
    once, often = copy.deepcopy(before), copy.deepcopy(before)
    for place in places:
        stamped(often, "notebooks/a.ipynb", place)
    assert often == stamped(once, "notebooks/a.ipynb", places[-1])
    assert stamped(often, "notebooks/a.ipynb", None) == before


def test_ids_and_outputs_stay_and_the_hash_stays_right_or_stays_wrong(notebook):
    before = copy.deepcopy(notebook)
    stamped(notebook, "notebooks/a.ipynb", PLACE)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in before.cells]
    assert notebook.cells[2] == before.cells[2]
    assert notebook.metadata.pricelab.source_hash == source_hash(notebook) != source_hash(before)
    notebook.metadata.pricelab["source_hash"] = "stale"
    assert stamped(notebook, "notebooks/a.ipynb", None).metadata.pricelab.source_hash == "stale"


@pytest.mark.parametrize("broken", [0, 1])
def test_a_notebook_that_cannot_be_stamped_is_named_and_no_other_is_written(workbook, notebook, broken):
    notebook.cells[broken].source = "nothing of the kind"
    workbook[1].write_text(nbformat.writes(notebook))
    before = [path.read_text() for path in workbook]
    with pytest.raises(ValueError, match="01_b"):
        stamp(workbook, PLACE)
    assert [path.read_text() for path in workbook] == before


def test_files_are_written_once_and_a_check_writes_nothing(workbook):
    before = [path.read_text() for path in workbook]
    assert stamp(workbook, PLACE, check=True) == workbook
    assert [path.read_text() for path in workbook] == before
    assert stamp(workbook, PLACE) == workbook and not stamp(workbook, PLACE)
    assert stamp(workbook, None) == workbook
    assert [path.read_text() for path in workbook] == before


# ---- the repository


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/some-owner/some.repo.git",
        "https://github.com/some-owner/some.repo",
        "https://github.com/some-owner/some.repo/",
        "https://user:token@github.com/some-owner/some.repo.git",
        "git@github.com:some-owner/some.repo.git",
        "ssh://git@github.com/some-owner/some.repo.git",
    ],
)
def test_a_github_address_in_any_of_its_forms(address):
    assert repo_of(address) == "some-owner/some.repo"


@pytest.mark.parametrize(
    "address",
    ["", "/srv/git/workbook", "https://gitlab.com/a/b.git", "https://github.com/a", "https://github.com.evil.org/a/b",
     "https://github.com/a/b/c", "git@github.com:a", "https://user:secret@example.org/a/b"],
)  # fmt: skip
def test_any_other_address_is_refused_and_no_password_is_shown(address):
    with pytest.raises(ValueError, match="no GitHub address") as refused:
        repo_of(address)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("repo", ["name", "a/b/c", "a b/c", "/c", "a/", 'a/b"', "https://github.com/a/b"])
def test_what_is_no_repository_is_refused(repo):
    with pytest.raises(ValueError, match="OWNER/NAME"):
        Place(repo)


@pytest.mark.parametrize("branch", ["", "a b", 'x"y', "a..b", "-f", "(x)"])
def test_what_is_no_branch_is_refused(branch):
    with pytest.raises(ValueError, match="branch"):
        Place("a/b", branch)


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_the_remote_tells_the_repository(tmp_path):
    git(tmp_path, "init", "-q")
    with pytest.raises(ValueError, match="no git remote 'origin'.*--repo OWNER/NAME"):
        repo_of_remote(tmp_path)
    git(tmp_path, "remote", "add", "origin", "git@github.com:some-owner/some.repo.git")
    assert repo_of_remote(tmp_path) == "some-owner/some.repo"


# ---- the command


def test_the_command_stamps_checks_and_takes_out(workbook, capsys):
    assert run("--repo", "a/b", "--check") == 1
    assert run("--repo", "a/b", "--branch", "spring") == 0
    assert "2 of 2 notebooks changed: badge and source of a/b, branch spring" in capsys.readouterr().out
    assert run("--repo", "a/b", "--branch", "spring", "--check") == 0
    assert run("--remove", "--check") == 1 and run("--remove") == 0 and run("--remove", "--check") == 0


def test_without_a_remote_the_command_asks_for_the_repository(workbook, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert run() == 2
    assert "--repo OWNER/NAME" in capsys.readouterr().err
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", "https://github.com/a/b.git")
    assert run() == 0
    assert "https://github.com/a/b@main" in workbook[0].read_text()
