"""The adapter's greedy digits through vLLM: `python docs/vllm_prices.py DIR TEXT...`; takes a GPU and vLLM.

What `Pricer.write` does, with vLLM as the engine: the manifest's base, the same token ids, greedy decoding. With
``--compare`` the same texts go through `Pricer.write` too, on the CPU, and a difference ends with status 1. With
``--request`` nothing is priced: it prints what to send to a ``vllm serve`` that knows the adapter by its folder's name.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pricelab.artifacts import Manifest
from pricelab.base_files import locate
from pricelab.bases import load_tokenizer
from pricelab.files import read_json
from pricelab.prompt import prompt_tokens

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM can be told to make room for
MAX_NEW_TOKENS = 8


def prompts(folder: Path, texts: list[str]) -> list[list[int]]:
    """The token ids that the model reads for each text, cut at the manifest's length."""
    manifest = Manifest.read(folder)
    tokenizer = load_tokenizer(*locate(manifest.base["name"], manifest.base["revision"]))
    return [prompt_tokens(tokenizer, text, manifest.max_text_tokens)[0] for text in texts]


def digits(folder: Path, texts: list[str]) -> list[str]:
    """What the model writes after the prompt of each text."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    manifest = Manifest.read(folder)
    manifest.check(folder)
    place, commit = locate(manifest.base["name"], manifest.base["revision"])
    rank = min(size for size in RANKS if size >= read_json(folder / "adapter_config.json")["r"])
    quantised = {"quantization": "bitsandbytes"} if manifest.quantisation == "nf4" else {}
    pinned = {} if Path(place).is_dir() else {"revision": commit}
    engine = LLM(model=place, enable_lora=True, max_lora_rank=rank, **quantised, **pinned)
    given = [{"prompt_token_ids": ids} for ids in prompts(folder, texts)]
    greedy = SamplingParams(temperature=0, max_tokens=MAX_NEW_TOKENS)
    answers = engine.generate(given, greedy, lora_request=LoRARequest("adapter", 1, str(folder.resolve())))
    return [answer.outputs[0].text for answer in answers]


def request(folder: Path, texts: list[str]) -> dict[str, Any]:
    """The body of a POST to ``/v1/completions`` with the same prompts and decoding."""
    ids = prompts(folder, texts)
    return {"model": folder.resolve().name, "prompt": ids, "temperature": 0, "max_tokens": MAX_NEW_TOKENS}


def main(arguments: list[str] | None = None) -> int:
    """Print the digits, the comparison or the request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--compare", action="store_true", help="with what Pricer.write gives")
    parser.add_argument("--request", action="store_true", help="print the body for a vllm serve instead")
    asked = parser.parse_args(arguments)
    if asked.request:
        print(json.dumps(request(asked.folder, asked.texts)))
        return 0
    found = digits(asked.folder, asked.texts)
    if not asked.compare:
        for text, written in zip(asked.texts, found, strict=True):
            print(f"{written!r}  {text}")
        return 0
    from pricelab import Pricer

    expected = Pricer.load(asked.folder, "cpu").write(asked.texts, MAX_NEW_TOKENS)  # vLLM has the GPU's memory
    for text, *both in zip(asked.texts, found, expected, strict=True):
        print(f"{'same' if both[0] == both[1] else 'DIFFERENT'}: vLLM {both[0]!r}, pricelab {both[1]!r}  {text}")
    return int(found != expected)


if __name__ == "__main__":
    raise SystemExit(main())
