"""The leaderboard keeps the latest of each, sorts, and says which rows may be compared."""

import pytest

from pricelab.evaluation import evaluate
from pricelab.files import write_json_atomic
from pricelab.leaderboard import SAME_ITEMS, Leaderboard, _letter


def test_leaderboard_keeps_the_latest_of_each_and_sorts(tmp_path):
    board = Leaderboard(tmp_path / "board.json")
    assert str(board) == "no scores yet" and board.rows() == []
    for name, estimate in (("bad", 30), ("good", 11), ("bad", 20)):
        board.add(evaluate([10, 10], [estimate, 12], name=name), "test")
    board.add(evaluate([10], [10], name="bad"), "test-unseen")
    rows = Leaderboard(str(board.path)).rows()
    assert [(r["name"], r["split"], r["mae"]["value"]) for r in rows] == [
        ("good", "test", 1.5),
        ("bad", "test", 6.0),
        ("bad", "test-unseen", 0.0),
    ]
    assert "$1.50 [$0.00, $7.85]" in str(board) and str(board).splitlines()[0].startswith("model")


def test_leaderboard_escapes_names_and_refuses_other_files(tmp_path):
    board = Leaderboard(tmp_path / "board.json")
    board.add(evaluate([10], [10], name="<b>x</b>"), "<i>")
    assert "<b>" not in board._repr_html_() and "<i>" not in board._repr_html_()
    (tmp_path / "board.json").write_text('[{"name": "x"}]')
    with pytest.raises(ValueError, match="is no leaderboard"):
        str(board)


def test_rows_on_other_items_have_another_letter(tmp_path):
    board = Leaderboard(tmp_path / "board.json")
    board.add(evaluate([10, 20, 30], [11, 21, 31], name="ridge"), "test")
    board.add(evaluate([10, 20], [10, 20], name="ridge"), "test")  # a part of them, and better there
    board.add(evaluate([10, 20, 40], [11, 21, 31], name="other"), "test")  # as many, but others
    board.add(evaluate([10, 20, 30], [10, 20, 31], name="ours"), "test")
    rows = [(row["model"], row["items"], row["n"]) for row in board._table()]
    assert {(letter, n) for _, letter, n in rows} == {("A", "3"), ("B", "3"), ("C", "2")}
    assert rows[-1] == ("ridge", "C", "2") and ("ours", "3") in [(name, n) for name, _, n in rows]
    same = {name: letter for name, letter, n in rows if n == "3"}
    assert (
        same["ridge"] == same["ours"] != same["other"]
        and SAME_ITEMS in str(board)
        and SAME_ITEMS in board._repr_html_()
    )


def test_a_board_of_an_earlier_version_loads(tmp_path):
    row = evaluate([10], [10], name="old").to_dict()
    kept = ("name", "n", "unparsed", "mae", "median_ae", "rmsle", "hit_rate", "coverage", "width")
    write_json_atomic(tmp_path / "board.json", [{"split": "test", **{name: row[name] for name in kept}}])
    board = Leaderboard(tmp_path / "board.json")
    board.add(evaluate([10], [11], name="new"), "test")
    assert [row["name"] for row in board.rows()] == ["old", "new"] and str(board).count(" test ") == 2


def test_letters_go_on_after_z():
    assert [_letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
