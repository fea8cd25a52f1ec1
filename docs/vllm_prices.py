"""The adapter's greedy digits through vLLM: `python docs/vllm_prices.py DIR TEXT...`; takes a GPU and vLLM.

What `Pricer.write` does, with vLLM as the engine: the manifest's base, the same token ids, greedy decoding.
"""

import sys
from pathlib import Path

from pricelab.artifacts import Manifest
from pricelab.bases import load_tokenizer, locate
from pricelab.files import read_json
from pricelab.prompt import prompt_tokens

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM can be told to make room for
MAX_NEW_TOKENS = 8


def digits(folder: Path, texts: list[str]) -> list[str]:
    """What the model writes after the prompt of each text."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    manifest = Manifest.read(folder)
    manifest.check(folder)
    place, commit = locate(manifest.base["name"], manifest.base["revision"])
    tokenizer = load_tokenizer(place, commit)
    rank = min(size for size in RANKS if size >= read_json(folder / "adapter_config.json")["r"])
    quantised = {"quantization": "bitsandbytes"} if manifest.quantisation == "nf4" else {}
    pinned = {} if Path(place).is_dir() else {"revision": commit}
    engine = LLM(model=place, enable_lora=True, max_lora_rank=rank, **quantised, **pinned)
    prompts = [{"prompt_token_ids": prompt_tokens(tokenizer, text, manifest.max_text_tokens)[0]} for text in texts]
    greedy = SamplingParams(temperature=0, max_tokens=MAX_NEW_TOKENS)
    answers = engine.generate(prompts, greedy, lora_request=LoRARequest("adapter", 1, str(folder.resolve())))
    return [answer.outputs[0].text for answer in answers]


if __name__ == "__main__":
    for text, written in zip(sys.argv[2:], digits(Path(sys.argv[1]), sys.argv[2:]), strict=True):
        print(f"{written!r}  {text}")
