"""Fine-tuning from a catalog to a folder: what is left behind, resumed, replaced and refused."""

import dataclasses
import errno
import re
import shutil

import numpy as np
import pytest

from pricelab import finetuning, progress, run_folder, saving, training
from pricelab.artifacts import MANIFEST, RUN, Manifest, is_finished, is_unfinished
from pricelab.baselines import TfidfRidge
from pricelab.baselines.rows import digests_of
from pricelab.catalog import MIN_TO_FINETUNE, load_catalog
from pricelab.files import read_json, write_json_atomic
from pricelab.finetuning import CHECKPOINTS, default_recipe, finetune
from pricelab.intervals import LEVEL, fewest_items
from pricelab.price_format import WHOLE_DOLLARS, PriceFormat
from pricelab.pricer import Pricer
from pricelab.profiles import PROFILES
from pricelab.run_folder import Run

RECIPE = training.Recipe(epochs=1, batch_size=16, rank=4, save_every=2)
QUICK = {"recipe": RECIPE, "seed": 3, "progress": False}


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    monkeypatch.setenv("PRICELAB_PROFILE", "smoke")


@pytest.fixture
def finished(finetuned, tmp_path):
    """A copy of a finished QLoRA run."""
    return shutil.copytree(finetuned["qlora"].folder, tmp_path / "run")


@pytest.fixture
def unfinished(toy_base, toy_catalog, tmp_path, monkeypatch, stop_at):
    """A folder whose run was interrupted at step 3."""
    folder = tmp_path / "unfinished"
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", stop_at(3))
        with pytest.raises(InterruptedError):
            finetune(toy_catalog, folder, base=str(toy_base), **{**QUICK, "progress": True})
    assert is_unfinished(folder) and not is_finished(folder)
    return folder


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("method", training.METHODS)
def test_each_method_leaves_a_finished_folder_with_what_was_learned(finetuned, toy_catalog, toy_base, method):
    run = finetuned[method]
    weights = {"model.safetensors", "tokenizer.json"} if method == "full" else {"adapter_model.safetensors"}
    files = {path.name for path in run.folder.iterdir()}
    assert weights | {"ridge.safetensors", "ridge.json", MANIFEST} <= files
    assert files == {*run.manifest.files, MANIFEST}  # no settings, no checkpoints, nothing unhashed
    assert len(run.losses) == 8 and np.isfinite(run.losses).all()
    found = Manifest.read(run.folder)
    assert found == run.manifest
    assert (found.method, found.quantisation) == (method, "nf4" if method == "qlora" else None)
    assert found.base["name"] == str(toy_base) and len(found.base["revision"]) == 64
    assert found.data["fingerprint"] == toy_catalog.fingerprint and found.data["train_items"] == 64
    assert found.data["median_price_usd"] == np.median([item.price for item in toy_catalog["train"]])
    assert found.calibration["n"] == 24 and found.schema == 1 and found.seed == 3
    assert {"torch", "transformers", "peft"} <= set(found.packages)


@pytest.mark.parametrize("method", training.METHODS)
def test_estimates_after_loading_equal_those_before_saving(finetuned, estimates_before_saving, toy_catalog, method):
    after = Pricer.load(finetuned[method].folder).estimate([item.text for item in toy_catalog["test"]])
    before = estimates_before_saving[method]
    np.testing.assert_array_equal([e.distribution for e in after], [e.distribution for e in before])
    assert [e.estimate for e in after] == [e.estimate for e in before]


def test_the_adapter_folder_names_no_place_on_this_machine(finetuned, toy_base):
    """The base here is a folder, so its name is its place; the registry's keys stay keys."""
    config = read_json(finetuned["lora"].folder / "adapter_config.json")
    assert config["base_model_name_or_path"] == finetuned["lora"].manifest.base["name"] == str(toy_base)


def test_a_key_stays_a_key_in_the_adapter(toy_base, toy_catalog, tmp_path, monkeypatch):
    from pricelab import base_files

    (tmp_path / "data").mkdir()
    shutil.copytree(toy_base, tmp_path / "data" / "tiny-base")
    monkeypatch.setattr(base_files, "data_dir", lambda: tmp_path / "data")
    run = finetune(toy_catalog, tmp_path / "run", base="tiny", **QUICK)
    assert read_json(run.folder / "adapter_config.json")["base_model_name_or_path"] == "tiny"
    assert not any(str(tmp_path).encode() in content for content in snapshot(run.folder).values())


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_unfinished_run_is_resumed_and_ends_as_if_never_interrupted(
    unfinished, toy_base, toy_catalog, tmp_path, overwrite, monkeypatch
):
    whole = finetune(toy_catalog, tmp_path / "whole", base=str(toy_base), **QUICK)
    resumed_at = []
    newest = training.newest_valid
    monkeypatch.setattr(training, "newest_valid", lambda folder: resumed_at.append(newest(folder)) or newest(folder))
    resumed = finetune(toy_catalog, unfinished, base=str(toy_base), overwrite=overwrite, **QUICK)
    assert resumed_at[0].checkpoint.name == "checkpoint-2"
    assert resumed.losses == whole.losses
    assert resumed.manifest.files == whole.manifest.files


def test_an_unfinished_run_of_other_settings_is_refused_by_their_names_and_kept(unfinished, toy_base, toy_catalog):
    before = snapshot(unfinished)
    other = {**QUICK, "seed": 4, "recipe": dataclasses.replace(RECIPE, rank=2)}
    with pytest.raises(ValueError, match="unfinished run with another rank, seed;.*--overwrite"):
        finetune(toy_catalog, unfinished, base=str(toy_base), **other)
    assert snapshot(unfinished) == before


def test_overwrite_starts_other_settings_afresh(unfinished, toy_base, toy_catalog, tmp_path):
    other = {**QUICK, "seed": 4}
    fresh = finetune(toy_catalog, tmp_path / "fresh", base=str(toy_base), **other)
    replaced = finetune(toy_catalog, unfinished, base=str(toy_base), overwrite=True, **other)
    assert replaced.manifest.files == fresh.manifest.files


def test_loading_an_unfinished_run_says_how_to_finish_it(unfinished):
    with pytest.raises(ValueError, match="unfinished run; run the same `finetune` again to resume it"):
        Pricer.load(unfinished)


def test_a_finished_run_is_only_replaced_when_asked(finished, toy_base, toy_catalog):
    before = snapshot(finished)
    with pytest.raises(ValueError, match="finished run with another epochs, .*rank.*; use --overwrite"):
        finetune(toy_catalog, finished, base=str(toy_base), **{**QUICK, "recipe": dataclasses.replace(RECIPE, rank=2)})
    assert snapshot(finished) == before
    replaced = finetune(toy_catalog, finished, base=str(toy_base), method="full", overwrite=True, **QUICK)
    assert replaced.manifest.method == "full"
    assert not (finished / "adapter_model.safetensors").exists()
    Pricer.load(finished)


@pytest.fixture
def trained(monkeypatch):
    """The folders that were trained in."""
    folders, train = [], finetuning.train

    def spy(model, base, items, recipe, checkpoints, *rest, **options):
        folders.append(checkpoints.parent)
        return train(model, base, items, recipe, checkpoints, *rest, **options)

    monkeypatch.setattr(finetuning, "train", spy)
    return folders


@pytest.fixture
def same(toy_base):
    """The settings of ``finished``."""
    recipe = training.Recipe(epochs=2, batch_size=16, rank=4, learning_rate=5e-3)
    return {"base": str(toy_base), "recipe": recipe, "seed": 3, "progress": False}


@pytest.mark.parametrize("overwrite", [False, "changed"])
def test_a_finished_run_of_the_same_settings_is_taken_and_said(
    finished, finetuned, same, toy_catalog, trained, capsys, overwrite
):
    before = snapshot(finished)
    run = finetune(toy_catalog, finished, overwrite=overwrite, **same)
    assert trained == [] and snapshot(finished) == before
    assert run.manifest == finetuned["qlora"].manifest and run.folder == finished
    np.testing.assert_allclose(run.losses, finetuned["qlora"].losses, atol=5e-5)
    assert run.seconds == round(finetuned["qlora"].seconds, 1) and (run.validation, run.stopped) == ({}, "")
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{finished} holds a finished run of these settings") and "--overwrite trains anew" in said


def test_overwrite_trains_the_same_settings_anew(finished, finetuned, same, toy_catalog, trained):
    run = finetune(toy_catalog, finished, overwrite=True, **same)
    assert trained == [finished] and run.manifest.files == finetuned["qlora"].manifest.files


def test_a_notebook_shows_the_losses_of_a_run_that_it_takes(finished, same, toy_catalog, trained, monkeypatch, capsys):
    import IPython.display
    from matplotlib.figure import Figure

    shown = []
    for module in (progress, run_folder):
        monkeypatch.setattr(module, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", shown.append)
    finetune(toy_catalog, finished, overwrite="changed", **{**same, "progress": True})
    (figure,) = shown
    assert isinstance(figure, Figure) and "8 steps" in figure.axes[0].get_title(loc="left")
    assert "overwrite=True trains anew" in capsys.readouterr().err and trained == []


CHANGES = {
    "seed": {"seed": 4}, "method": {"method": "lora"}, "blend": {"blend": True}, "minutes": {"minutes": 1.0},
    "dropout": {"choices": {"dropout": 0.1}}, "max_text_tokens": {"choices": {"max_text_tokens": 10}},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_finished_run_of_another_setting_is_not_taken(finished, same, toy_catalog, trained, name):
    before = snapshot(finished)
    with pytest.raises(ValueError, match=f"finished run with another {name}; use --overwrite to replace it"):
        finetune(toy_catalog, finished, **{**same, **CHANGES[name]})
    assert trained == [] and snapshot(finished) == before


def test_neither_is_one_of_other_items_or_of_a_base_that_changed(finished, same, toy_catalog, trained, tmp_path):
    fewer = dataclasses.replace(toy_catalog, splits={**toy_catalog.splits, "train": toy_catalog["train"][:40]})
    with pytest.raises(ValueError, match="finished run with another data, .*number of items; "):
        finetune(fewer, finished, **same)
    content = read_json(finished / MANIFEST)
    content["base"]["revision"] = "0" * 64
    write_json_atomic(finished / MANIFEST, content)
    with pytest.raises(ValueError, match="finished run with another version of .*; use --overwrite"):
        finetune(toy_catalog, finished, **same)
    assert trained == []


def test_what_changed_is_trained_anew_when_asked_and_the_reason_said(finished, same, toy_catalog, trained, capsys):
    run = finetune(toy_catalog, finished, overwrite="changed", **{**same, "seed": 4})
    assert trained == [finished] and run.manifest.seed == 4
    assert f"trained anew: {finished} holds a finished run with another seed\n" in capsys.readouterr().err


@pytest.mark.parametrize("spoilt", ["changed", "missing"])
def test_a_damaged_run_is_not_taken(finished, finetuned, same, toy_catalog, trained, capsys, spoilt):
    file = finished / "ridge.safetensors"
    if spoilt == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    words = {"missing": f"{file} is missing", "changed": f"{file} was changed after training"}[spoilt]
    with pytest.raises(ValueError, match=re.escape(words)):
        finetune(toy_catalog, finished, **same)
    assert trained == []
    run = finetune(toy_catalog, finished, overwrite="changed", **same)
    assert trained == [finished] and run.manifest.files == finetuned["qlora"].manifest.files
    assert f"trained anew: {words}" in capsys.readouterr().err


def test_another_word_for_overwrite_is_refused(finished, same, toy_catalog):
    with pytest.raises(ValueError, match="overwrite is True, False or \"changed\", got 'always'"):
        finetune(toy_catalog, finished, overwrite="always", **same)


def test_a_stored_run_has_its_validation_losses_and_why_it_stopped(finetuned):
    manifest = finetuned["lora"].manifest
    metrics = {**manifest.metrics, "validation": {"10": 1.5, "20": 1.25}, "stopped": "stopped at step 20"}
    run = Run.stored(finetuned["lora"].folder, dataclasses.replace(manifest, metrics=metrics))
    assert run.validation == {10: 1.5, 20: 1.25} and run.stopped == "stopped at step 20"


def test_a_finished_run_survives_a_mistake_in_the_settings_of_the_next(finished, toy_base, toy_catalog):
    before = snapshot(finished)
    small = dataclasses.replace(toy_catalog, splits={**toy_catalog.splits, "train": toy_catalog["train"][:3]})
    for catalog, base in ((toy_catalog, "no-such-base"), (small, str(toy_base))):
        with pytest.raises(ValueError):
            finetune(catalog, finished, base=base, overwrite=True, **QUICK)
    assert snapshot(finished) == before


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_minutes_that_are_none_are_refused_before_anything_is_written(toy_base, toy_catalog, tmp_path, minutes):
    with pytest.raises(ValueError, match="minutes must be a number above 0, got .*; leave it out for no limit"):
        finetune(toy_catalog, tmp_path / "run", base=str(toy_base), minutes=minutes, **QUICK)
    assert not (tmp_path / "run").exists()


def answers(folder, catalog):
    return [answer.estimate for answer in Pricer.load(folder).estimate([item.text for item in catalog["test"]])]


@pytest.fixture
def replaced(finished, toy_base, toy_catalog, monkeypatch, stop_at):
    """``finished``, and the settings of another run in its folder that was cut off at step 3."""
    other = {**QUICK, "base": str(toy_base), "seed": 4}
    with monkeypatch.context() as patch:
        patch.setattr(training, "LossDisplay", stop_at(3))
        with pytest.raises(InterruptedError):
            finetune(toy_catalog, finished, overwrite=True, **{**other, "progress": True})
    return finished, other


def test_a_run_that_is_cut_off_leaves_the_predictor_that_it_was_to_replace(
    replaced, finetuned, same, toy_catalog, trained
):
    folder, _ = replaced
    assert answers(folder, toy_catalog) == answers(finetuned["qlora"].folder, toy_catalog)
    for overwrite in (False, "changed"):  # it is still taken where its own settings are asked for
        assert finetune(toy_catalog, folder, overwrite=overwrite, **same).manifest == finetuned["qlora"].manifest
    assert trained == []


def test_it_goes_on_where_it_was_cut_off_and_takes_the_others_place(
    replaced, finetuned, toy_catalog, tmp_path, monkeypatch
):
    folder, other = replaced
    with pytest.raises(ValueError, match="one of these settings that was interrupted; use --overwrite"):
        finetune(toy_catalog, folder, **other)
    resumed_at, newest = [], training.newest_valid
    monkeypatch.setattr(training, "newest_valid", lambda folder: resumed_at.append(newest(folder)) or newest(folder))
    run = finetune(toy_catalog, folder, overwrite=True, **other)
    assert resumed_at[0].checkpoint.name == "checkpoint-2"
    assert run.manifest.files == finetune(toy_catalog, tmp_path / "whole", **other).manifest.files
    assert {path.name for path in folder.iterdir()} == {*run.manifest.files, MANIFEST}


def test_a_third_run_takes_the_place_of_both(replaced, toy_catalog, tmp_path):
    folder, other = replaced
    third = {**other, "seed": 5, "method": "full"}
    run = finetune(toy_catalog, folder, overwrite=True, **third)
    assert run.manifest.files == finetune(toy_catalog, tmp_path / "whole", **third).manifest.files
    assert {path.name for path in folder.iterdir()} == {*run.manifest.files, MANIFEST}


def test_a_predictor_that_cannot_be_saved_leaves_the_one_before(finished, toy_base, toy_catalog, monkeypatch):
    before = snapshot(finished)

    def full(path):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "flush", full)
        with pytest.raises(OSError, match="saving the predictor in .*The training is done; the same"):
            finetune(toy_catalog, finished, base=str(toy_base), overwrite=True, **QUICK)
    assert before.items() <= snapshot(finished).items()
    run = finetune(toy_catalog, finished, base=str(toy_base), overwrite=True, **QUICK)
    assert Manifest.read(finished) == run.manifest and not (finished / CHECKPOINTS).exists()


def test_files_of_somebody_else_are_never_touched(finished, toy_base, toy_catalog, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="no run of pricelab; give a new folder"):
        finetune(toy_catalog, foreign, base=str(toy_base), overwrite=True, **QUICK)
    with pytest.raises(ValueError, match="is a file; give a folder"):
        finetune(toy_catalog, foreign / "thesis.txt", base=str(toy_base), overwrite=True, **QUICK)
    (finished / "notes.txt").write_text("mine")
    for _ in range(2):  # a note beside a run is neither taken for one of its files nor removed with them
        run = finetune(toy_catalog, finished, base=str(toy_base), overwrite=True, **QUICK)
        assert "notes.txt" not in run.manifest.files
    assert (finished / "notes.txt").read_text() == (foreign / "thesis.txt").read_text() == "mine"


def test_a_manifest_that_names_files_elsewhere_removes_none_of_them(finished, toy_base, toy_catalog):
    elsewhere = finished.parent / "precious.txt"
    elsewhere.write_text("mine")
    content = read_json(finished / MANIFEST)
    content["files"]["../precious.txt"] = "0" * 64
    write_json_atomic(finished / MANIFEST, content)
    with pytest.raises(ValueError, match="outside its folder"):
        finetune(toy_catalog, finished, base=str(toy_base), overwrite=True, **QUICK)
    assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize(("split", "size"), [("train", 15), ("calibration", 3)])
def test_too_few_items_are_refused_before_anything_is_written(toy_catalog, toy_base, tmp_path, split, size):
    small = dataclasses.replace(toy_catalog, splits={**toy_catalog.splits, split: toy_catalog[split][:size]})
    with pytest.raises(ValueError, match=f"{size} {split} items are too few, at least {size + 1}"):
        finetune(small, tmp_path / "run", base=str(toy_base), **QUICK)
    assert not (tmp_path / "run").exists()


def test_the_rows_that_a_file_is_said_to_need_are_just_enough(toy_base, tmp_path):
    shop = tmp_path / "shop.csv"
    rows = [f"product number {n},{n + 1}" for n in range(MIN_TO_FINETUNE)]

    def trained_on(kept):
        shop.write_text("\n".join(["description,price", *kept]), encoding="utf-8")
        return finetune(load_catalog(shop), tmp_path / "run", base=str(toy_base), **QUICK)

    with pytest.raises(ValueError, match=f"calibration items are too few.*at least {MIN_TO_FINETUNE} usable rows"):
        trained_on(rows[:-1])
    assert trained_on(rows).manifest.calibration["n"] == fewest_items(LEVEL)


def test_prices_in_another_currency_are_refused_before_anything_is_written(toy_catalog, toy_base, tmp_path):
    euros = dataclasses.replace(toy_catalog, currency="EUR")
    with pytest.raises(ValueError, match="is in EUR, but the prompt asks for US dollars; convert"):
        finetune(euros, tmp_path / "run", base=str(toy_base), **QUICK)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("split", "price"), [("train", 999_500.0), ("calibration", 0.004), ("train", 5e9)])
def test_prices_that_the_prompt_cannot_write_are_refused_never_clipped(toy_catalog, toy_base, tmp_path, split, price):
    odd = dataclasses.replace(toy_catalog[split][5], id="odd-one", price=price)
    beyond = dataclasses.replace(toy_catalog, splits={**toy_catalog.splits, split: (*toy_catalog[split], odd)})
    with pytest.raises(ValueError, match=f"1 {split} items have prices that the prompt can't write.*odd-one at"):
        finetune(beyond, tmp_path / "run", base=str(toy_base), **QUICK)
    assert not (tmp_path / "run").exists()


def test_prices_that_round_into_the_prompts_range_are_fine(toy_catalog):
    edges = [dataclasses.replace(toy_catalog["train"][0], price=price) for price in (0.5, 24.0, 999.49)]
    splits = {"train": edges, "calibration": edges}
    assert finetuning.check_prices(dataclasses.replace(toy_catalog, splits=splits)) == WHOLE_DOLLARS


@pytest.mark.parametrize(
    ("split", "price", "written"),
    [
        ("train", 999.5, PriceFormat(4)), ("calibration", 12_000.0, PriceFormat(5)),
        ("calibration", 0.49, PriceFormat(cents=True)), ("test", 12_000.0, WHOLE_DOLLARS),
    ],
)  # fmt: skip
def test_what_is_written_follows_from_all_prices_but_those_to_test_on(toy_catalog, split, price, written):
    odd = dataclasses.replace(toy_catalog[split][5], price=price)
    wider = {**toy_catalog.splits, split: (*toy_catalog[split], odd)}
    assert finetuning.check_prices(dataclasses.replace(toy_catalog, splits=wider)) == written


def test_an_unknown_method_is_refused_with_those_there_are(toy_catalog, tmp_path):
    with pytest.raises(ValueError, match="unknown method 'dora'; choose one of qlora, lora, full"):
        finetune(toy_catalog, tmp_path, method="dora")


def test_the_default_recipe_passes_over_small_catalogs_more_often():
    laptop = PROFILES["laptop"]
    epochs = [default_recipe(laptop, "qlora", items).epochs for items in (50, 600, 1200, 100_000)]
    assert epochs == [3, 2, 1, 1]
    assert default_recipe(laptop, "full", 600).learning_rate < default_recipe(laptop, "lora", 600).learning_rate


def test_a_large_catalog_is_cut_to_a_random_part_that_the_seed_decides(toy_catalog):
    chosen = finetuning.affordable(toy_catalog["train"], 30, seed=0)
    assert len(chosen) == len(set(chosen)) == 30 and set(chosen) < set(toy_catalog["train"])
    assert chosen != toy_catalog["train"][:30]
    assert chosen == finetuning.affordable(toy_catalog["train"], 30, seed=0)
    assert finetuning.affordable(toy_catalog["train"], 10_000, seed=0) == toy_catalog["train"]


def test_the_ridge_learns_from_all_items_the_model_from_what_is_affordable(
    toy_base, toy_catalog, tmp_path, monkeypatch, capsys
):
    laptop = dataclasses.replace(PROFILES["smoke"], max_item_passes=40)
    monkeypatch.setattr(finetuning, "detect", lambda: laptop)
    read_outs, given = finetuning.with_read_outs, {}

    def noting(pricer, items, calibration, **options):
        given.update(items=items, calibration=calibration, **options)
        return read_outs(pricer, items, calibration, **options)

    monkeypatch.setattr(finetuning, "with_read_outs", noting)
    watched = toy_catalog["validation"][:5]
    run = finetune(toy_catalog, tmp_path / "run", base=str(toy_base), method="lora", validation=watched, blend=True)
    assert "the model reads 40 of 64 training items, drawn at random" in capsys.readouterr().err
    assert run.manifest.data["train_items"] == 40 and run.manifest.data["ridge_items"] == 64
    assert "(the ridge: from 64)" in (run.folder / "README.md").read_text(encoding="utf-8")
    assert list(given["items"]) == list(toy_catalog["train"]) and given["seen"] == watched
    assert given["most"] == 40 and len(given["ridge"].held_out) == 64
    learned, judged = ({item.text for item in given[part]} for part in ("items", "calibration"))
    assert judged and judged <= {item.text for item in toy_catalog["calibration"]} and not judged & learned
    known = TfidfRidge.load(run.folder).known
    assert np.isin(digests_of([*learned, *judged, *(item.text for item in watched)]), known).all()
    assert not np.isin(digests_of([item.text for item in toy_catalog["test"]]), known).any()


def test_texts_that_share_no_words_are_refused_before_anything_is_trained(toy_base, toy_catalog, tmp_path, monkeypatch):
    def alone(items, kind):
        return tuple(dataclasses.replace(item, text=f"{kind}{row:04d}") for row, item in enumerate(items))

    monkeypatch.setattr(finetuning, "train", lambda *_, **__: pytest.fail("trained first"))
    splits = {name: alone(items, name[:2]) for name, items in toy_catalog.splits.items()}
    with pytest.raises(ValueError, match="share no words"):
        finetune(dataclasses.replace(toy_catalog, splits=splits), tmp_path / "run", base=str(toy_base), **QUICK)
    assert not (tmp_path / "run").exists()


def test_no_checkpoints_and_no_settings_are_left(finetuned):
    for run in finetuned.values():
        assert not (run.folder / CHECKPOINTS).exists() and not (run.folder / RUN).exists()
