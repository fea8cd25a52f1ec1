"""Peak memory of a block, as the system sees the process."""

import numpy as np
import pytest

from pricelab.costs.peak import peak_memory

MEGABYTES = 200


def test_the_peak_counts_what_was_freed_before_the_end():
    with peak_memory() as peak:
        block = np.ones(MEGABYTES * 1_000_000 // 8)
        for _ in range(20):
            block += 1  # long enough to be seen
        del block
    assert peak.bytes == pytest.approx(MEGABYTES * 1e6, rel=0.25)


def test_a_block_that_takes_nothing_takes_next_to_nothing():
    with peak_memory() as peak:
        sum(range(1000))
    assert 0 <= peak.bytes < 50e6


def test_an_error_inside_comes_through_and_the_peak_is_still_told():
    with pytest.raises(RuntimeError, match="stopped"), peak_memory() as peak:
        block = np.ones(MEGABYTES * 1_000_000 // 8)
        block += 1
        raise RuntimeError("stopped")
    assert peak.bytes > MEGABYTES * 1e6 / 2
