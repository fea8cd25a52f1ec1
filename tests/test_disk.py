"""A write that fails is told in words, whatever raised it."""

import errno

import pytest

from pricelab.disk import in_words


class SafetensorError(Exception):
    """Named as the one that safetensors raises, which is no OSError."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "x"), "No space left on device; it takes about 3 MB and .* are free; free some space"),
        (SafetensorError("I/O error: File too large (os error 27)"), "File too large; it takes about 3 MB.*free some"),
        (
            SafetensorError("I/O error: Permission denied (os error 13)"),
            "Permission denied; .*make the folder writable",
        ),
        (RuntimeError("[enforce fail] PytorchStreamWriter failed"), "PytorchStreamWriter failed; .*still connected"),
    ],
)
def test_each_failed_write_names_what_it_was_and_a_cure(tmp_path, error, words):
    with (
        pytest.raises(OSError, match=f"saving in .* failed: .*{words}.*Nothing is lost"),
        in_words("saving", tmp_path, needed=3_000_000, after="Nothing is lost"),
    ):
        raise error


def test_what_is_no_failed_write_stays_what_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError), in_words("saving", tmp_path):
        _ = 1 / 0
