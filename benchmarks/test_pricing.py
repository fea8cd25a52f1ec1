"""Pricing in batches against one `generate` after another: `make bench`."""

import pytest

from benchmarks import pricing


@pytest.mark.benchmark
@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_estimate_is_faster_than_generating_one_at_a_time(capsys):
    from pricelab import load_catalog

    try:
        pricer = pricing.predictor(pricing.BASE)
    except ConnectionError as error:
        pytest.skip(str(error))
    texts = [item.text for item in load_catalog("workshop")["test"][: pricing.ITEMS]]
    found = pricing.side_by_side(pricer, texts)
    with capsys.disabled():
        for way in ("digits", "blend"):
            print(f"\n{way}, batched, against one generate after another: {found[f'{way} of generate']}")
    assert found["digits of generate"]["least"] > 1 and found["blend of generate"]["least"] > 1
