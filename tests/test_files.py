"""Files are replaced whole or not at all."""

import pytest

from pricelab.files import replacing, write_text_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "sub" / "result.bin"
    for content in (b"one", b"two"):
        before = path.read_bytes() if path.exists() else None
        with replacing(path) as new:
            new.write_bytes(content)
            assert new.parent == path.parent and (path.read_bytes() if path.exists() else None) == before
        assert path.read_bytes() == content and names(path.parent) == ["result.bin"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "result.txt"
    write_text_atomic(path, "old é\n")
    with pytest.raises(failure), replacing(path) as new:
        new.write_text("half")
        raise failure
    assert path.read_bytes() == "old é\n".encode() and names(tmp_path) == ["result.txt"]
