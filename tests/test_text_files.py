"""A file looked at in pieces says what it would as a whole, wherever the pieces end."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pricelab import text_files
from pricelab.files import drop_half_a_line
from pricelab.text_files import look_at

UNHURRIED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)


@UNHURRIED
@given(text=st.text(st.sampled_from("a\r\né€𝄞\ufeff "), max_size=12), piece=st.integers(1, 5))
def test_pieces_of_any_size_find_the_same(tmp_path, monkeypatch, text, piece):
    monkeypatch.setattr(text_files, "PIECE", piece)
    path = tmp_path / "text.csv"
    path.write_bytes(text.encode())
    whole = text.removeprefix("\ufeff")
    if not whole.replace("\ufeff", " ").strip():
        return
    found = look_at(path)
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert found.lone_returns == ("\r" in text.replace("\r\n", ""))
    with found.open() as file:
        assert file.read() == whole


@UNHURRIED
@given(before=st.text(st.sampled_from("aé€𝄞"), max_size=6), bad=st.sampled_from([b"\xff", b"\xe2\x82", b"\xe9a"]),
       piece=st.integers(1, 5))  # fmt: skip
def test_the_first_bad_byte_is_named_wherever_the_pieces_end(tmp_path, monkeypatch, before, bad, piece):
    monkeypatch.setattr(text_files, "PIECE", piece)
    path = tmp_path / "text.csv"
    path.write_bytes(before.encode() + bad)
    with pytest.raises(ValueError, match=rf"not UTF-8 \(first at byte {len(before.encode())}\)"):
        look_at(path)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\r\n\t"])
def test_a_file_with_nothing_in_it_is_empty(tmp_path, content):
    path = tmp_path / "text.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is empty; it needs a header"):
        look_at(path)


@pytest.mark.parametrize(
    ("content", "kept"),
    [(b"", b""), (b"half", b""), (b"a\n", b"a\n"), (b"a\nb", b"a\n"), (b"a\n\n" + b"b" * 200_000, b"a\n\n")],
)
def test_half_a_line_is_cut(tmp_path, content, kept):
    path = tmp_path / "journal"
    path.write_bytes(content)
    drop_half_a_line(path)
    assert path.read_bytes() == kept
