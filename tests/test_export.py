import errno
import json
import stat
import tempfile

import numpy as np
import pytest
from safetensors import safe_open

from pricelab import Pricer
from pricelab.cli import main
from pricelab.export import export


@pytest.fixture(scope="module")
def texts(toy_catalog):
    return [item.text for item in toy_catalog["test"]]


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_the_merged_checkpoint_answers_nearly_as_the_adapter_and_the_drift_says_how_nearly(
    finetuned, texts, tmp_path, method
):
    out = tmp_path / "merged"
    drift = export(finetuned[method].folder, out, texts)
    with safe_open(out / "model.safetensors", "pt") as weights:
        assert {str(weights.get_slice(name).get_dtype()) for name in weights.keys()} == {"BF16"}  # noqa: SIM118
    merged, adapted = (
        np.array([answer.estimate for answer in pricer.estimate(texts)])
        for pricer in (Pricer.from_base(str(out)), Pricer.load(finetuned[method].folder))
    )
    moved = np.abs(merged - adapted)
    assert (drift.n, drift.moved) == (len(texts), (moved > 0).sum())
    assert drift.mean == pytest.approx(moved.mean()) and drift.largest == moved.max()
    bare = np.array([a.estimate for a in Pricer.load(finetuned[method].folder).untuned.estimate(texts)])
    assert moved.mean() < 0.2 * np.abs(bare - adapted).mean()


def test_the_drift_is_of_the_same_texts_cut_alike(finetuned, texts, tmp_path):
    pricer, long = Pricer.load(finetuned["lora"].folder), [" ".join([text] * 12) for text in texts[:6]]
    assert all(was_cut for _, was_cut in map(pricer.prompt_ids, long))
    drift = export(finetuned["lora"].folder, tmp_path / "merged", long)
    merged = Pricer.from_base(str(tmp_path / "merged"), max_text_tokens=pricer.max_text_tokens)
    one, two = (np.array([answer.estimate for answer in model.estimate(long)]) for model in (merged, pricer))
    assert drift.largest == np.abs(one - two).max() < 20


def test_what_cannot_be_merged_is_refused(finetuned, texts, tmp_path):
    with pytest.raises(ValueError, match="no adapter to merge"):
        export(finetuned["full"].folder, tmp_path / "merged", texts)
    with pytest.raises(ValueError, match="no texts"):
        export(finetuned["lora"].folder, tmp_path / "merged", [])
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="exists"):
        export(finetuned["lora"].folder, tmp_path / "there", texts)
    assert not (tmp_path / "merged").exists()


def test_a_failure_leaves_nothing_behind(finetuned, texts, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pricelab.export._merged", full)
    with pytest.raises(OSError, match="no space left"):
        export(finetuned["lora"].folder, tmp_path / "merged", texts)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_is_told_with_what_it_takes(finetuned, texts, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(OSError, match=r"exporting in .* failed: No space left.*takes about \d+ kB and .* are free"):
        export(finetuned["lora"].folder, tmp_path / "merged", texts[:3])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_never_touched(finetuned, texts, tmp_path):
    mine = tmp_path / "merged.partial" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    export(finetuned["lora"].folder, tmp_path / "merged", texts[:3])
    assert mine.read_text(encoding="utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"merged", "merged.partial"}
    assert stat.S_IMODE((tmp_path / "merged").stat().st_mode) == 0o755  # for others to serve, too


def test_a_place_that_cannot_be_written_is_told_before_anything_is_priced(finetuned, texts, tmp_path, monkeypatch):
    def closed(**_):
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(tempfile, "mkdtemp", closed)
    monkeypatch.setattr("pricelab.export._estimates", lambda *_: pytest.fail("priced before the folder was there"))
    with pytest.raises(OSError, match="exporting in .* failed: Permission denied; .*make the folder writable"):
        export(finetuned["lora"].folder, tmp_path / "merged", texts)


def test_from_the_command_line(finetuned, tmp_path, capsys, toy_catalog):
    shop = tmp_path / "shop.csv"
    rows = [f'"{item.text}",{item.price}' for item in toy_catalog["test"][:5]]
    shop.write_text("\n".join(["description,price", *rows]), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["export", str(finetuned["lora"].folder), "--out", str(tmp_path / "m"), "--items", str(shop), "--json"])
    assert left.value.code in (0, None)
    assert json.loads(capsys.readouterr().out)["n"] == 5
