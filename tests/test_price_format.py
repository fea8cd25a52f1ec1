"""Which prices are written: labels that are read back, the format a catalog needs, runs from a file to an answer."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.price_format import WHOLE_DOLLARS, PriceFormat, edges_of, place_of
from pricelab.prompt import follows_format, parse_price

FORMATS = [PriceFormat(digits, cents) for digits in range(3, 7) for cents in (False, True)]
formats = st.sampled_from(FORMATS)


def test_the_default_is_whole_dollars_up_to_999():
    assert PriceFormat() == WHOLE_DOLLARS and WHOLE_DOLLARS.range == (1, 999)
    np.testing.assert_array_equal(WHOLE_DOLLARS.prices, np.arange(1, 1000), strict=True)
    np.testing.assert_array_equal(WHOLE_DOLLARS.edges, np.arange(1000) + 0.5)
    assert WHOLE_DOLLARS.labels == tuple(map(str, range(1, 1000)))


@given(price=st.floats(0.01, 2000))
def test_the_default_rounds_half_up_and_keeps_within_its_range(price):
    assert int(WHOLE_DOLLARS.label(price)) == min(max(int(price + 0.5), 1), 999)


@given(price_format=formats, data=st.data())
def test_a_label_is_read_back_within_half_a_step(price_format, data):
    low, high = price_format.edges[[0, -1]]
    price = data.draw(st.floats(low, high, exclude_max=True))
    label = price_format.label(price)
    place = price_format.labels.index(label)
    assert price_format.writable(price) and follows_format(label, price_format)
    assert price_format.edges[place] <= price < price_format.edges[place + 1]
    assert abs(parse_price(label) - price) <= np.abs(price_format.prices - price).min() * (1 + 1e-9)


@pytest.mark.parametrize("price_format", FORMATS, ids=str)
def test_every_writable_price_is_read_back_exactly(price_format):
    for price, label in zip(price_format.prices.tolist(), price_format.labels, strict=True):
        assert parse_price(label) == price and price_format.label(price) == label
    assert (np.diff(price_format.prices) > 0).all() and len(set(price_format.labels)) == len(price_format.labels)


@pytest.mark.parametrize("price_format", FORMATS, ids=str)
def test_labels_are_as_the_format_says(price_format):
    for price, label in zip(price_format.prices, price_format.labels, strict=True):
        whole, point, decimals = label.partition(".")
        assert (len(decimals) == 2) == bool(point) == (price_format.cents and price < 10)
        assert len(whole) <= price_format.digits and set(whole[3:]) <= {"0"}
        assert not whole.startswith("0") or (price < 1 and whole == "0")
    assert max(map(len, (label.partition(".")[0] for label in price_format.labels))) == price_format.digits


@pytest.mark.parametrize("price_format", FORMATS, ids=str)
def test_edges_are_midpoints_and_half_a_step_out(price_format):
    prices, edges = price_format.prices, price_format.edges
    np.testing.assert_allclose(edges[1:-1], (prices[1:] + prices[:-1]) / 2)
    assert prices[0] - edges[0] == pytest.approx(edges[1] - prices[0])
    assert edges[-1] - prices[-1] == pytest.approx(prices[-1] - edges[-2])
    assert edges[0] > 0 and edges is price_format.edges and edges_of(prices).tolist() == edges.tolist()


@pytest.mark.parametrize(("price", "place"), [(-5, 0), (0.5, 0), (1.4, 0), (1.5, 1), (3.49, 2), (9, 2)])
def test_beyond_the_edges_lie_the_outermost_places(price, place):
    assert place_of(np.array([0.5, 1.5, 2.5, 3.5]), price) == place


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([], PriceFormat()),
        ([1, 24, 999], PriceFormat()),
        ([0.5, 24, 999.49], PriceFormat()),
        ([12, 999.5], PriceFormat(4)),
        ([12, 9994.9], PriceFormat(4)),
        ([12, 9995], PriceFormat(5)),
        ([12, 24_000], PriceFormat(5)),
        ([12, 5e5], PriceFormat(6)),
        ([12, 5e9], PriceFormat(6)),  # more than can be written, which `finetune` refuses
        ([9.99, 5, 20, 30], PriceFormat(cents=True)),
        ([9.996, 5, 20, 30], PriceFormat()),  # $9.996 is written as "10"
        ([0.49, 200, 300], PriceFormat(cents=True)),  # whole dollars would make it nothing
        ([4, 5, 2499], PriceFormat(4, cents=True)),
    ],
)
def test_a_catalog_gets_the_digits_and_cents_that_it_needs(prices, expected):
    assert PriceFormat.of(prices) == expected
    if max(prices, default=0) < 999_500:
        assert all(map(expected.writable, prices))


@pytest.mark.parametrize("digits", [2, 7])
def test_other_digits_are_refused(digits):
    with pytest.raises(ValueError, match="3 to 6 digits before the point, got"):
        PriceFormat(digits)


@pytest.mark.parametrize("price_format", FORMATS, ids=str)
def test_what_a_manifest_notes_brings_the_format_back(price_format):
    noted = json.loads(json.dumps(price_format.noted()))
    assert PriceFormat.stored(noted) == price_format
    assert (noted is None) == (price_format == WHOLE_DOLLARS)


def test_a_format_says_in_words_what_it_writes():
    assert str(PriceFormat()) == "whole dollars from 1 to 999"
    assert str(PriceFormat(5)) == "whole dollars from 1 to 999, three significant digits from 1,000 to 99,900"
    assert str(PriceFormat(cents=True)) == "dollars and cents from 0.01 to 9.99, whole dollars from 10 to 999"


# ---- from a file to an answer


OPTIONS = {"base": "tiny", "method": "lora", "blend": True, "progress": False}
SCREW, SAFE = "zinc plated wood screw", "fireproof document safe"


def shop(path, cheap, dear, rows=140, word="number"):
    """A file whose items cost about ``cheap`` or ``dear``, as their texts tell; ``word`` makes them others."""
    rng = np.random.default_rng(0)
    lines = ["description,price"]
    for row in range(rows):
        text, middle = (SCREW, cheap) if row % 2 else (SAFE, dear)
        price = middle * rng.uniform(0.8, 1.25)
        lines.append(f'"{text}, {word} {row}",{price:.2f}')
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, one_thread):
    """Two runs on `tiny`: a catalog of cents, and one of thousands of dollars."""
    from pricelab import finetune, load_catalog
    from pricelab.training import Recipe

    options = {"recipe": Recipe(epochs=4, batch_size=8, rank=8, learning_rate=1e-2), **OPTIONS}
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICELAB_PROFILE", "smoke")
        for name, cheap, dear, price_range in (("cents", 0.4, 7.5, (0.05, 999)), ("dear", 60.0, 19_000.0, (1, 25_000))):
            folder = tmp_path_factory.mktemp(name)
            file = shop(folder / "shop.csv", cheap, dear)
            catalog = load_catalog(file, price_range=price_range)
            found[name] = file, catalog, finetune(catalog, folder / "run", **options)
    return found


@pytest.mark.parametrize(
    ("name", "price_format", "lowest", "highest"),
    [("cents", PriceFormat(cents=True), 0.01, 999), ("dear", PriceFormat(5), 1, 99_900)],
)
def test_a_run_writes_what_its_catalog_needs_and_says_so(trained, name, price_format, lowest, highest):
    from pricelab import Pricer

    _, _, run = trained[name]
    kept = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    assert PriceFormat.stored(kept["price_format"]) == price_format == Pricer.load(run.folder).price_format
    assert f"the model writes {price_format}, then the end" in (run.folder / "README.md").read_text(encoding="utf-8")
    pricer = Pricer.load(run.folder)
    for one in (pricer.digits, pricer.reading("blend"), pricer.untuned):
        for answer in one.estimate([SCREW, SAFE, "a dog"]):
            assert answer.distribution.shape == answer.prices.shape == price_format.prices.shape
            assert answer.distribution.sum() == pytest.approx(1)
            assert lowest <= answer.low <= answer.estimate <= answer.high <= highest
            assert answer.low <= answer.mean <= highest or one.adapter is False
    assert np.isnan(pricer.estimate("").distribution).all()


def test_cents_are_learned_and_nothing_costs_0(trained, capsys):
    from pricelab import Pricer, cli
    from pricelab.widgets import cards

    _, catalog, run = trained["cents"]
    pricer = Pricer.load(run.folder)
    answers = pricer.digits.estimate([item.text for item in catalog["test"]])
    cheap = [answer for item, answer in zip(catalog["test"], answers, strict=True) if SCREW in item.text]
    assert any(answer.estimate < 1 for answer in cheap) and all(answer.low > 0 for answer in answers)
    assert all("." in written for written in pricer.write([SCREW]))
    with pytest.raises(SystemExit):
        cli.main(["predict", str(run.folder), SCREW])
    assert "$0." in (printed := capsys.readouterr().out) and "$0 " not in printed and "$0.00" not in printed
    page = cards.result(SCREW, cheap[0])
    assert ">$0.01</span>" in page and "$0<" not in page and f"${cheap[0].estimate:.2f}" in page


def test_dear_items_get_dear_prices(trained, capsys, tmp_path):
    from pricelab import Pricer, cli
    from pricelab.batch import predict_file

    file, catalog, run = trained["dear"]
    pricer = Pricer.load(run.folder)
    answers = pricer.estimate([item.text for item in catalog["test"]])
    assert max(answer.estimate for answer in answers) > 5000 > 999 > min(answer.estimate for answer in answers)
    with pytest.raises(SystemExit):
        cli.main(["predict", str(run.folder), SAFE])
    assert f"${pricer.estimate(SAFE).estimate:,.0f} (80 % interval $" in capsys.readouterr().out
    texts = tmp_path / "texts.csv"
    texts.write_text(f"description\n{SAFE}\n", encoding="utf-8")
    predict_file(pricer, texts, tmp_path / "out.csv", progress=False)
    assert f",{round(pricer.estimate(SAFE).estimate, 2)}," in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_the_rows_that_can_be_written_are_evaluated_and_of_ones_own_file_the_unseen(trained, tmp_path):
    from pricelab import Pricer
    from pricelab.comparison import compare_file

    file, catalog, run = trained["dear"]
    pricer = Pricer.load(run.folder)
    comparison, words = compare_file(pricer, file)
    assert comparison.scores[0].n == len(catalog["test"]) and "never seen are scored" in words
    other = shop(tmp_path / "other.csv", 0.4, 30_000.0, rows=40, word="item")
    comparison, words = compare_file(pricer, other)
    assert comparison.scores[0].n == 20 and "20 × price below $1" in words
    assert "--price-range LOW HIGH" in words and "price_range=(low, high)" in words
    assert compare_file(pricer, other, price_range=(0.01, 1))[0].scores[0].n == 20
    learned = replace(pricer.manifest, data={**pricer.manifest.data, "price_range": [0.3, 500.0]})
    assert compare_file(replace(pricer, manifest=learned), other)[0].scores[0].n == 40  # it learned cheap ones
    seen = next(item.price for item in catalog["train"] if item.price not in {i.price for i in catalog["test"]})
    with pytest.raises(ValueError, match="learned from all 1 usable rows"):
        compare_file(pricer, file, price_range=(seen, seen))


def test_rows_that_a_predictor_has_seen_are_left_out_of_any_file(trained, tmp_path):
    from pricelab import Pricer
    from pricelab.comparison import compare_file

    file, catalog, run = trained["dear"]
    pricer, lines = Pricer.load(run.folder), file.read_text(encoding="utf-8").splitlines()
    known = {item.text for split in ("train", "calibration") for item in catalog[split]}
    seen = [line for line in lines[1:] if line.split('"')[1] in known]
    longer = tmp_path / "longer.csv"
    longer.write_text("\n".join([*lines, lines[-1].replace("number", "item")]), encoding="utf-8")
    comparison, words = compare_file(pricer, longer)
    assert comparison.scores[0].n == len(catalog["test"]) + 1
    assert f"has seen the texts of {len(catalog['train']) + len(catalog['calibration']):,} rows" in words
    longer.write_text("\n".join([lines[0], *seen[:12]]), encoding="utf-8")
    with pytest.raises(ValueError, match="learned from all 12 usable rows"):
        compare_file(pricer, longer)


@pytest.mark.parametrize("name", ["cents", "dear"])
def test_a_run_of_another_format_is_exported(trained, name, tmp_path, capsys):
    from pricelab import Pricer, cli
    from pricelab.catalog import load_items

    _, _, run = trained[name]
    file, out = shop(tmp_path / "few.csv", 0.4, 19_000.0, rows=12), tmp_path / "merged"
    with pytest.raises(SystemExit) as left:
        cli.main(["export", str(run.folder), "--out", str(out), "--items", str(file), "--json"])
    assert left.value.code in (0, None)
    drift = json.loads(capsys.readouterr().out)
    pricer = Pricer.load(run.folder).digits
    merged = Pricer.from_base(str(out), price_format=pricer.price_format, max_text_tokens=pricer.max_text_tokens)
    kept = [item.text for item in load_items(file, price_range=pricer.price_format.range)[0]]
    one, other = (found.estimate(kept) for found in (pricer, merged))
    moved = [abs(mine.estimate - its.estimate) for mine, its in zip(one, other, strict=True)]
    assert drift["n"] == len(kept) == 6 and drift["largest"] == pytest.approx(max(moved))
    assert drift["moved"] == np.count_nonzero(moved)
    for mine, its in zip(one, other, strict=True):
        assert np.abs(mine.distribution - its.distribution).sum() / 2 < 0.2


def test_another_format_is_another_run(trained, tmp_path, monkeypatch):
    """What is resumed was learned in the same format; a default run notes none."""
    from pricelab import finetuning, training
    from pricelab.files import read_json

    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")
    _, catalog, run = trained["cents"]
    monkeypatch.setattr(finetuning, "train", lambda *_, **__: 1 / 0)
    same = {"recipe": training.Recipe(epochs=4, batch_size=8, rank=8, learning_rate=1e-2), **OPTIONS}
    assert finetuning.finetune(catalog, run.folder, **same).manifest == run.manifest  # taken, not trained again
    options = {"recipe": training.Recipe(epochs=1), **OPTIONS}
    with pytest.raises(ZeroDivisionError):
        finetuning.finetune(catalog, tmp_path / "run", **options)
    assert read_json(tmp_path / "run" / "run.json")["price_format"] == {"digits": 3, "cents": True}
    monkeypatch.setattr(finetuning, "check_prices", lambda catalog: PriceFormat(4, cents=True))
    with pytest.raises(ValueError, match="unfinished run with another price_format"):
        finetuning.finetune(catalog, tmp_path / "run", **options)
    with pytest.raises(ValueError, match="finished run with another price_format"):
        finetuning.finetune(catalog, run.folder, **same)


def test_a_run_in_whole_dollars_notes_no_format(finetuned, toy_catalog):
    for run in finetuned.values():
        kept = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
        assert "price_format" not in kept and "price_range" not in kept["data"]
        assert run.manifest.as_dict() == kept
