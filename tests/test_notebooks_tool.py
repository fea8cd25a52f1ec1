"""The runner and the cleaner of notebooks, on small notebooks made here."""

import base64
import io
import sys

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pricelab import evaluation
from pricelab.normalise import WIDGET_TYPE, collapse, few_colours, normalise, source_hash
from pricelab.notebooks import find_notebooks, report, run

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def notebook(*sources, **metadata):
    """A notebook of code cells; a source that begins with # and a space is a markdown cell."""
    cells = []
    for number, source in enumerate(sources):
        make = nbformat.v4.new_markdown_cell if source.startswith("# ") else nbformat.v4.new_code_cell
        cells.append(make(source, id=f"cell-{number}"))
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def saved(path, *sources):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(*sources), path)
    return path


def texts(path):
    """What the code cells of an executed notebook printed."""
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(o.get("text", "") for o in cell.outputs) for cell in cells if cell.cell_type == "code"]


# ---- running


def test_a_failing_notebook_is_reported_and_the_next_one_still_runs(tmp_path, capsys):
    bad = saved(tmp_path / "a.ipynb", "print('before')", "boom = 1 / 0", "print('after')")
    good = saved(tmp_path / "b.ipynb", "# a title", "print(6 * 7)")
    outcomes = run([bad, good], tmp_path / "out", "smoke")
    assert [bool(outcome.error) for outcome in outcomes] == [True, False]
    assert texts(tmp_path / "out/a.ipynb") == ["before\n", "", ""]
    assert texts(tmp_path / "out/b.ipynb") == ["42\n"]
    told = report(outcomes)
    assert "cell 2" in told and "boom = 1 / 0" in told and "ZeroDivisionError: division by zero" in told
    assert "1 of 2 notebooks passed" in told and str(tmp_path / "out") in told
    assert "failed  a.ipynb" in capsys.readouterr().out


def test_cells_run_with_this_python_in_their_folder_under_the_profile(tmp_path):
    code = "import os, sys; print(sys.executable, os.getcwd(), os.environ['PRICELAB_PROFILE'], sep='\\n')"
    path = saved(tmp_path / "deep" / "where.ipynb", code)
    run([path], tmp_path / "out", "smoke", quiet=True)
    assert texts(tmp_path / "out/where.ipynb")[0].split("\n")[:3] == [
        sys.executable, str((tmp_path / "deep").resolve()), "smoke",
    ]  # fmt: skip


def test_a_dead_kernel_is_a_failure_with_words(tmp_path):
    (outcome,) = run([saved(tmp_path / "dies.ipynb", "import os; os._exit(1)")], None, "smoke", quiet=True)
    assert "kernel died" in outcome.error and outcome.copy is None


def test_in_place_writes_the_clean_form_only_when_all_cells_passed(tmp_path):
    good = saved(tmp_path / "notebooks/good.ipynb", "import sys; print('no', file=sys.stderr); print('yes')")
    bad = saved(tmp_path / "notebooks/bad.ipynb", "print('yes')", "raise ValueError('no')")
    before = bad.read_bytes()
    run([good, bad], None, "smoke", in_place=True, quiet=True)
    assert bad.read_bytes() == before
    clean = nbformat.read(good, as_version=4)
    assert texts(good) == ["yes\n"]
    assert clean.metadata.pricelab.profile == "smoke"
    assert clean.metadata.pricelab.source_hash == source_hash(clean)


def test_the_leaderboard_is_shown(tmp_path, monkeypatch):
    path = tmp_path / "leaderboard.json"
    score = evaluation.evaluate([10.0, 20.0, 30.0], [11.0, 18.0, 33.0], name="guesses")
    evaluation.Leaderboard(path).add(score, "test")
    monkeypatch.setattr("pricelab.needs.leaderboard_path", lambda: path)
    assert "guesses" in report([])


def test_two_notebooks_of_one_name_are_refused(tmp_path):
    pair = [saved(tmp_path / folder / "same.ipynb", "1") for folder in "ab"]
    with pytest.raises(ValueError, match="same.ipynb"):
        run(pair, tmp_path / "out", "smoke")


def test_notebooks_are_found_by_path_and_by_the_beginning_of_their_name(tmp_path, monkeypatch):
    first, second = (saved(tmp_path / "notebooks" / name, "1") for name in ("00_start.ipynb", "07_tune.ipynb"))
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in find_notebooks()] == ["00_start.ipynb", "07_tune.ipynb"]
    assert [path.name for path in find_notebooks(["07", str(first)])] == ["07_tune.ipynb", "00_start.ipynb"]
    with pytest.raises(ValueError, match="'08'.*00_start, 07_tune"):
        find_notebooks(["08"])
    assert second.is_file()


# ---- the committed form


def outputs(*made):
    cell = nbformat.v4.new_code_cell("show()", id="one", outputs=list(made), execution_count=9)
    return nbformat.v4.new_notebook(cells=[cell])


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", text=text, name=name)


def widget():
    return nbformat.v4.new_output("display_data", {WIDGET_TYPE: {"model_id": "x"}, "text/plain": "Box()"})


def test_counts_run_from_one_and_ids_stay(tmp_path):
    made = notebook("1", "# text", "", "2")
    made.cells[0].execution_count, made.cells[3].execution_count = 7, 3
    clean = normalise(made, "smoke", images=tmp_path)
    assert [cell.get("execution_count") for cell in clean.cells] == [1, None, None, 2]
    assert [cell.id for cell in clean.cells] == [cell.id for cell in made.cells]
    assert made.cells[0].execution_count == 7, "the given notebook was changed"
    nbformat.validate(clean)


def test_transient_metadata_goes_and_ours_stays(tmp_path):
    made = notebook("1", widgets={"state": {}}, colab={"name": "x"})
    made.cells[0].metadata = {"execution": {}, "collapsed": True, "tags": ["a"], "pricelab": {"fold": 1}}
    clean = normalise(made, "laptop", images=tmp_path, machine="a machine", seconds=61.4)
    assert clean.cells[0].metadata == {"tags": ["a"], "pricelab": {"fold": 1}}
    assert set(clean.metadata) == {"kernelspec", "language_info", "pricelab"}
    assert clean.metadata["pricelab"] == {
        "source_hash": source_hash(made), "profile": "laptop", "machine": "a machine", "seconds": 61,
    }  # fmt: skip


def test_stderr_and_overwritten_progress_go(tmp_path):
    made = outputs(stream("a\r b\rdone\n"), stream("warning", "stderr"), stream("10 %\r"))
    (only,) = normalise(made, "smoke", images=tmp_path).cells[0].outputs[:1]
    assert only.text == "done\n"
    assert all(output.name == "stdout" for output in normalise(made, "smoke", images=tmp_path).cells[0].outputs)


def test_a_widget_becomes_the_named_picture_or_goes(tmp_path):
    (tmp_path / "shot.png").write_bytes(PNG)
    made = outputs(widget(), stream("text"), widget())
    assert [o.output_type for o in normalise(made, "smoke", images=tmp_path).cells[0].outputs] == ["stream"]
    made.cells[0].metadata["pricelab"] = {"picture": "shot.png"}
    picture, text = normalise(made, "smoke", images=tmp_path).cells[0].outputs
    assert opened(picture.data["image/png"]).size == (1, 1) and WIDGET_TYPE not in picture.data
    assert text.text == "text"
    made.cells[0].metadata["pricelab"] = {"picture": "gone.png"}
    with pytest.raises(ValueError, match="gone.png"):
        normalise(made, "smoke", images=tmp_path)


def drawn(colours=2):
    """A base64 picture of 120 by 80 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (colours, 3), dtype=np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels[np.arange(9600).reshape(80, 120) // 7 % colours]).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


def opened(png):
    return Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")


def test_a_figure_of_few_colours_looks_the_same_and_one_of_many_gets_smaller():
    assert opened(few_colours(drawn(9))).tobytes() == opened(drawn(9)).tobytes()
    many = drawn(3000)
    assert len(few_colours(many)) < len(many)
    assert len(opened(few_colours(many)).getcolors()) <= 256
    assert few_colours(few_colours(many)) == few_colours(many)


def test_figures_and_errors_are_kept(tmp_path):
    png = few_colours(drawn())
    figure = nbformat.v4.new_output("display_data", {"image/png": png, "text/plain": "<Figure>"})
    error = nbformat.v4.new_output("error", ename="E", evalue="v", traceback=[])
    result = nbformat.v4.new_output("execute_result", {"text/plain": "3"}, execution_count=9)
    kept = normalise(outputs(figure, error, result), "smoke", images=tmp_path).cells[0].outputs
    assert [output.output_type for output in kept] == ["display_data", "error", "execute_result"]
    assert kept[0].data["image/png"] == png and kept[2].execution_count == 1


def test_normalising_twice_changes_nothing(tmp_path):
    made = outputs(stream("a\rb\n"), widget(), stream("x", "stderr"))
    once = normalise(made, "smoke", images=tmp_path, machine="m")
    assert normalise(once, "smoke", images=tmp_path, machine="m") == once


@given(st.text(alphabet="ab \r\n", max_size=40))
def test_collapsed_text_holds_no_carriage_return_and_keeps_its_lines(text):
    shown = collapse(text)
    assert "\r" not in shown and collapse(shown) == shown
    assert shown.count("\n") == text.count("\n")


@given(st.lists(st.text(max_size=10), min_size=1, max_size=4), st.data())
def test_the_source_hash_sees_every_change_of_the_cells_and_none_of_the_outputs(sources, data):
    made = notebook(*sources)
    before = source_hash(made)
    cell = made.cells[data.draw(st.integers(0, len(sources) - 1))]
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [stream("new")], 5
    assert source_hash(made) == before
    cell.source += "#"
    assert source_hash(made) != before


def test_the_source_hash_sees_the_order_the_ids_and_the_types():
    hashes = {source_hash(notebook(*sources)) for sources in (("1", "2"), ("2", "1"), ("12",), ("1", "# 2"))}
    renamed = notebook("1", "2")
    renamed.cells[0].id = "other"
    assert len(hashes | {source_hash(renamed)}) == 5
