"""Tables in JupyterLab, in a real browser: formulas are set, amounts of money are not."""

import pytest

pytestmark = pytest.mark.browser


def test_an_interval_in_dollars_is_text_while_a_formula_beside_it_is_set(tables):
    tables.formulas.first.wait_for(timeout=30_000)
    assert tables.formulas.count() == 1
    assert "$62.29 [$55.65, $70.15]" in tables.form.inner_text()
