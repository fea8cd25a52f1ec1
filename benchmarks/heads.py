"""Does a head that is trained with the adapter price better? `python -m benchmarks.heads FILE [WAY …] --folds 0 1`.

Folds of a product file: LoRA on four fifths, prices of the last fifth, for each way of writing the loss. *Digits*:
cross-entropy of the price's digits, as `pricelab finetune` does it. *Head*: squared error of standardised log price,
from a linear head on the pooled hidden states. *Probe first*: the head starts as a ridge on the frozen states (linear
probing, then fine-tuning; Kumar et al. 2022, arXiv 2202.10054), else from zero. *Histogram*: cross-entropy against a
Gaussian over 64 bins of log price (HL-Gauss, arXiv 2403.03950). Digits are learned beside every head, so that the
adapter stays one that writes prices; the blend of the frozen base stands in for what ships. Results of all folds
asked for together go to ``data/results/heads.json`` with the machine; other ways and other folds keep theirs.

Notation: B items, T tokens, F features, K bins.
"""

import argparse
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.results import RESULTS
from pricelab.backbone import autocast, head_logits, hidden_states
from pricelab.baselines import TfidfRidge
from pricelab.baselines.rows import to_usd
from pricelab.blend import Blend
from pricelab.catalog import Item, load_items
from pricelab.evaluation import evaluate, paired_difference
from pricelab.examples import IGNORED, collate, encode
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.pricer import Pricer
from pricelab.profiles import detect, pick_precision
from pricelab.recipe import Recipe
from pricelab.states import pooled_states, poolings
from pricelab.training import load_trainable

PATH = RESULTS / "heads.json"
RECIPE = Recipe(epochs=2, batch_size=8, rank=16, alpha=32, targets=("attention",), learning_rate=5e-4)
HEAD_RATE = 1e-3
BINS = np.linspace(math.log(0.7), math.log(1400), 65)  # edges, in log price
STRENGTHS = np.logspace(1, 4, 7)  # of the ridge that a head starts from


@dataclass(frozen=True)
class Way:
    """What the loss is made of."""

    digits: float = 0.5  # weight of the digits' cross-entropy
    outputs: int = 0  # of the head: none, 1 (squared error), or one a bin
    probe_first: bool = False


WAYS = {
    "digits alone": Way(digits=1.0),
    "digits and head": Way(outputs=1),
    "digits and head, probe first": Way(outputs=1, probe_first=True),
    "digits and histogram": Way(outputs=len(BINS) - 1),
}


class Head(torch.nn.Module):
    """A linear head on standardised pooled states (B, F)."""

    def __init__(self, states: np.ndarray, log_price: np.ndarray, way: Way) -> None:
        super().__init__()
        flat = np.concatenate(list(states), axis=1)
        self.mean, self.scale = torch.tensor(flat.mean(0)), torch.tensor(flat.std(0) + 1e-6)
        self.centre, self.spread = float(log_price.mean()), float(log_price.std())
        self.linear = torch.nn.Linear(flat.shape[1], way.outputs)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)
        if way.probe_first:
            from sklearn.linear_model import RidgeCV

            features = ((torch.tensor(flat) - self.mean) / self.scale).numpy()
            ridge = RidgeCV(STRENGTHS).fit(features, (log_price - self.centre) / self.spread)
            self.linear.weight.data[0] = torch.tensor(ridge.coef_, dtype=torch.float32)
            self.linear.bias.data[0] = float(ridge.intercept_)

    def forward(self, pooled: Any) -> Any:
        return self.linear((pooled - self.mean) / self.scale)

    def loss(self, pooled: Any, log_price: Any) -> Any:
        """Squared error of standardised log price, or cross-entropy against a Gaussian over the bins."""
        out = self(pooled)
        if out.shape[1] == 1:
            return ((out[:, 0] - (log_price - self.centre) / self.spread) ** 2).mean()
        edges = torch.tensor(BINS, dtype=torch.float32)
        below = torch.distributions.Normal(log_price[:, None], float(BINS[1] - BINS[0])).cdf(edges)
        target = below.diff(dim=1) / (below[:, -1:] - below[:, :1])
        return -(target * out.log_softmax(1)).sum(1).mean()

    def log_price(self, pooled: Any) -> Any:
        """The head's answer: its number, or the histogram's mean."""
        out = self(pooled)
        if out.shape[1] == 1:
            return out[:, 0] * self.spread + self.centre
        return out.softmax(1) @ torch.tensor((BINS[1:] + BINS[:-1]) / 2, dtype=torch.float32)


def pooled_of(states: Any, ends: Any) -> Any:
    """The prompt's mean and last hidden state (B, 2·dim), from states (B, T, dim) and last places (B,)."""
    return torch.cat(list(poolings(states, (torch.arange(states.shape[1])[None] <= ends[:, None]).long())), dim=1)


def trained(items: list[Item], way: Way) -> tuple[Pricer, Head | None, float]:
    """A predictor, its head, and the seconds that training took."""
    torch.manual_seed(0)
    base, model = load_trainable(detect().base, "lora", RECIPE, 0)
    pricer, log_price = Pricer("trained", base, model, RECIPE.max_text_tokens), np.log([item.price for item in items])
    examples, dtype = encode(base.tokenizer, items, RECIPE.max_text_tokens), pick_precision(base.device)[0]
    head = Head(pooled_states(pricer, [i.text for i in items]), log_price, way) if way.outputs else None
    groups = [{"params": [w for w in model.parameters() if w.requires_grad], "lr": RECIPE.learning_rate}]
    if head is not None:
        groups.append({"params": list(head.parameters()), "lr": HEAD_RATE})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    steps = int(RECIPE.epochs) * -(-len(items) // RECIPE.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=RECIPE.warmup, div_factor=100
    )
    dice, start = np.random.default_rng(0), time.perf_counter()
    model.train()
    for _ in range(int(RECIPE.epochs)):
        for batch in batches(dice, examples):
            inputs = collate([examples[i] for i in batch], base.tokenizer.pad_token_id)
            carries = (labels := inputs["labels"][:, 1:]) != IGNORED
            with autocast(base.device, dtype):
                states = hidden_states(model, inputs["input_ids"], inputs["attention_mask"])
                logits = head_logits(model, states[:, :-1][carries])
                loss = way.digits * torch.nn.functional.cross_entropy(logits, labels[carries])
            if head is not None:
                pooled = pooled_of(states, carries.float().argmax(1))
                loss = loss + head.loss(pooled, torch.tensor(log_price[batch], dtype=torch.float32))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([w for group in groups for w in group["params"]], 1.0)
            optimizer.step()
            schedule.step()
    model.eval()
    return pricer, head, time.perf_counter() - start


def batches(dice: np.random.Generator, examples: list) -> list[np.ndarray]:
    """Batches of similar length, in random order."""
    size, order = RECIPE.batch_size, dice.permutation(len(examples))
    chunks = [order[start : start + 25 * size] for start in range(0, len(order), 25 * size)]
    found = []
    for chunk in chunks:
        by_length = np.array(sorted(chunk, key=lambda i: -len(examples[i]["input_ids"])))
        found += [by_length[start : start + size] for start in range(0, len(by_length), size)]
    dice.shuffle(found)
    return found


def answers(train: list[Item], texts: list[str], name: str) -> tuple[dict[str, np.ndarray], float]:
    """What each way of reading says to ``texts`` in US dollars, and the seconds that training took."""
    pricer, head, seconds = trained(train, WAYS[name])
    found = {f"{name}: digits' median": np.array([answer.estimate for answer in pricer.estimate(texts)])}
    if head is not None:
        pooled = torch.tensor(np.concatenate(list(pooled_states(pricer, texts)), axis=1))
        with torch.inference_mode():
            found[f"{name}: head"] = to_usd(head.log_price(pooled).numpy())
    return found, seconds


def baselines(train: list[Item], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the ridge and the blend with the frozen base say to ``texts``, in US dollars."""
    ridge, base = TfidfRidge().fit(train), Pricer.from_base(detect().base)
    assert ridge.held_out is not None
    states, asked = pooled_states(base, [item.text for item in train]), pooled_states(base, texts)
    words = ridge.predict(texts)
    return words, Blend.fit(states, np.array([item.price for item in train]), ridge.held_out).read(asked, words)[0]


def measure(file: str, names: list[str], folds: list[int]) -> None:
    """Train each way on each fold and write what it reached over all of them."""
    from sklearn.model_selection import KFold

    items = list(load_items(file)[0])
    parts = list(KFold(5, shuffle=True, random_state=0).split(items))
    guesses: dict[str, list[np.ndarray]] = {}
    prices, words, seconds = [], [], dict.fromkeys(names, 0.0)
    for fold in folds:
        seen, asked = ([items[i] for i in part] for part in parts[fold])
        texts = [item.text for item in asked]
        ridge, blend = baselines(seen, texts)
        prices += [item.price for item in asked]
        words.append(ridge)
        guesses.setdefault("blend, nothing trained but its readers", []).append(blend)
        for name in names:
            found, spent = answers(seen, texts, name)
            seconds[name] += spent / len(folds)
            for label, guess in found.items():
                guesses.setdefault(label, []).append(guess)
    write(
        {label: np.concatenate(parts) for label, parts in guesses.items()},
        prices,
        np.concatenate(words),
        seconds,
        folds,
    )


def write(
    guesses: dict[str, np.ndarray], prices: list[float], ridge: np.ndarray, seconds: dict[str, float], folds: list[int]
) -> None:
    """Score answers to the items of ``folds`` and note them; seconds are by way."""
    kept = read_json(PATH)["rows"] if PATH.is_file() else []
    kept = [row for row in kept if not (row["read"] in guesses and row["folds"] == folds)]
    for label, guess in guesses.items():
        score, saved = evaluate(np.array(prices), guess, name=label), paired_difference(prices, guess, ridge)
        row = {"read": label, "folds": folds, "n": len(prices), "mae": score.mae.value, "rmsle": score.rmsle}
        row["seconds"] = round(seconds.get(label.split(":")[0], 0.0))
        kept.append({**row, "saved": [saved.value, saved.low, saved.high]})
        print(kept[-1], flush=True)
    facts = {"command": "python -m benchmarks.heads FILE --folds 0 1 2 3 4", "machine": this_machine()}
    facts |= {"base": detect().base, "recipe": RECIPE.as_dict(), "threads": torch.get_num_threads()}
    write_json_atomic(PATH, {**facts, "rows": sorted(kept, key=lambda row: row["folds"])})


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description="Heads trained together with the adapter, on folds of a product file."
    )
    options.add_argument("file")
    options.add_argument("ways", nargs="*", metavar="WAY", default=list(WAYS), help=f"of {', '.join(WAYS)}")
    options.add_argument("--folds", nargs="+", type=int, choices=range(5), default=[0], help="of five")
    given = options.parse_args()
    measure(given.file, given.ways, given.folds)
