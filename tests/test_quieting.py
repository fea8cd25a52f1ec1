"""The libraries' noise is held back, and comes back."""

import logging

import pytest

from pricelab.quieting import quiet


def test_quiet_gives_back_the_levels_it_found():
    logger = logging.getLogger("peft")
    before = logger.level
    with pytest.raises(RuntimeError), quiet():
        assert logger.level == logging.ERROR
        raise RuntimeError
    assert logger.level == before
