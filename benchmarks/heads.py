"""Does a head that is trained with the adapter price better? `python -m benchmarks.heads FILE [WAY …] --folds 0 1`.

Folds of a product file: LoRA on four fifths, prices of the last fifth, for each way of writing the loss. *Digits*:
cross-entropy of the price's digits, as `pricelab finetune` does it. *Head*: squared error of standardised log price,
from a linear head on the pooled hidden states. *Probe first*: the head starts as a ridge on the frozen states (linear
probing, then fine-tuning; Kumar et al. 2022, arXiv 2202.10054), else from zero. *Histogram*: cross-entropy against a
Gaussian over 64 bins of log price (HL-Gauss, arXiv 2403.03950). *Quantiles*: pinball loss at 19 levels, from the last
hidden state (as in arXiv 2506.06657). *Expected price*: squared error of the standardised log price that the digits'
distribution expects (RAFT), which is then also what it answers (RAIL, arXiv 2403.04182). Digits are learned beside each
of them, so that the adapter stays one that writes prices; the blend of the frozen base stands in for what ships. Then
digits alone again with one setting changed, and with the adapter's weights averaged over the last pass (Izmailov et al.
2018, arXiv 1803.05407).

Results of all folds asked for together go to ``data/results/heads.json`` with the machine; other ways and other folds
keep theirs.

Notation: B items, T tokens, F features.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from benchmarks.expected_price import expected_log_price, states_with_prefixes
from benchmarks.price_heads import Head, Histogram, ProbeFirst, Quantiles, Regression
from benchmarks.results import RESULTS
from pricelab.backbone import autocast, head_logits, hidden_states
from pricelab.baselines import TfidfRidge
from pricelab.baselines.rows import to_usd
from pricelab.blend import Blend
from pricelab.catalog import Item, load_items
from pricelab.costs.peak import apart, peak_memory
from pricelab.decoding import PRICES_USD
from pricelab.evaluation import evaluate, paired_difference
from pricelab.examples import IGNORED, collate, encode
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.pricer import Pricer
from pricelab.profiles import detect, pick_precision
from pricelab.prompt import digit_tokens
from pricelab.recipe import Recipe
from pricelab.states import pooled_states, poolings
from pricelab.training import load_trainable

PATH = RESULTS / "heads.json"
RECIPE = Recipe(epochs=2, batch_size=8, rank=16, alpha=32, targets=("attention",), learning_rate=5e-4)
HEAD_RATE = 1e-3
RIDGE, BLEND = "TF-IDF + ridge", "blend, nothing trained but its readers"


@dataclass(frozen=True)
class Cost:
    """What training took."""

    seconds: float
    cpu_seconds: float  # of all threads: on a crowded machine it is less than the seconds
    peak_bytes: int  # loading included


@dataclass(frozen=True)
class Way:
    """What the loss is made of."""

    digits: float = 0.5  # weight of the digits' cross-entropy
    head: type[Head] | None = None
    expected: bool = False  # squared error of the digits' expected log price
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the recipe
    average: bool = False  # also answer with the weights' mean over the last pass


WAYS = {
    "digits alone": Way(digits=1.0),
    "digits and head": Way(head=Regression),
    "digits and head, probe first": Way(head=ProbeFirst),
    "digits and histogram": Way(head=Histogram),
    "digits and quantiles": Way(head=Quantiles),
    "digits and expected price": Way(expected=True),
    "digits alone, rank 4": Way(digits=1.0, changes={"rank": 4, "alpha": 8}),
    "digits alone, all layers": Way(digits=1.0, changes={"targets": ("all-linear",)}),
    "digits alone, 1 pass": Way(digits=1.0, changes={"epochs": 1}),
    "digits alone, 3 passes": Way(digits=1.0, changes={"epochs": 3}, average=True),
}


def pooled_of(states: Any, ends: Any) -> Any:
    """The prompt's mean and last hidden state (P, B, dim), from states (B, T, dim) and last places (B,)."""
    return poolings(states, (torch.arange(states.shape[1])[None] <= ends[:, None]).long())


def digits_loss(
    model: Any, way: Way, inputs: dict[str, Any], target: Any, spread: float, digits: list[int]
) -> tuple[Any, Any, Any]:
    """The loss on what the digits say, the states (B, T, dim), and the places (B,) of the prompts' last tokens."""
    carries = (labels := inputs["labels"][:, 1:]) != IGNORED
    ends = carries.float().argmax(1)
    if not way.expected:
        states = hidden_states(model, inputs["input_ids"], inputs["attention_mask"])
    else:
        states, prefixes = states_with_prefixes(model, inputs, ends, digits)
    logits = head_logits(model, states[:, :-1][carries])
    loss = way.digits * torch.nn.functional.cross_entropy(logits, labels[carries])
    if way.expected:
        missed = expected_log_price(model, states, prefixes, ends, digits) - target
        loss = loss + ((missed / spread) ** 2).mean()
    return loss, states, ends


@dataclass(frozen=True)
class Trained:
    """What came of training."""

    pricer: Pricer
    head: Head | None
    average: list[torch.Tensor]  # of each trained weight over the steps of the last pass; empty if not asked for
    seconds: float
    cpu_seconds: float


def trained(items: list[Item], way: Way) -> Trained:
    """Train ``way`` on ``items``."""
    torch.manual_seed(0)
    recipe = replace(RECIPE, **way.changes)
    base, model = load_trainable(detect().base, "lora", recipe, 0)
    pricer, log_price = Pricer("trained", base, model, recipe.max_text_tokens), np.log([item.price for item in items])
    examples, dtype = encode(base.tokenizer, items, recipe.max_text_tokens), pick_precision(base.device)[0]
    head = way.head(pooled_states(pricer, [i.text for i in items]), log_price) if way.head else None
    spread, digits = float(log_price.std()), digit_tokens(base.tokenizer)
    weights = [w for w in model.parameters() if w.requires_grad]
    average = [torch.zeros_like(weight) for weight in weights] if way.average else []
    groups = [{"params": weights, "lr": recipe.learning_rate}]
    if head is not None:
        groups.append({"params": list(head.parameters()), "lr": HEAD_RATE})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    passes, each = int(recipe.epochs), -(-len(items) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=passes * each, pct_start=recipe.warmup, div_factor=100
    )
    dice, start, busy = np.random.default_rng(0), time.perf_counter(), time.process_time()
    model.train()
    for number in range(1, passes + 1):
        for batch in batches(dice, examples):
            inputs = collate([examples[i] for i in batch], base.tokenizer.pad_token_id)
            target = torch.tensor(log_price[batch], dtype=torch.float32)
            with autocast(base.device, dtype):
                loss, states, ends = digits_loss(model, way, inputs, target, spread, digits)
            if head is not None:
                loss = loss + head.loss(pooled_of(states, ends), target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([w for group in groups for w in group["params"]], 1.0)
            optimizer.step()
            schedule.step()
            if average and number == passes:
                for mean, weight in zip(average, weights, strict=True):
                    mean += weight.detach() / each
    model.eval()
    return Trained(pricer, head, average, time.perf_counter() - start, time.process_time() - busy)


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


def answers(train: list[Item], texts: list[str], name: str) -> tuple[dict[str, np.ndarray], Cost]:
    """What each way of reading says to ``texts`` in US dollars, and what training took."""
    way = WAYS[name]
    with peak_memory() as peak:
        made = trained(train, way)
    pricer, head = made.pricer, made.head
    read = pricer.estimate(texts)
    found = {"digits' median": np.array([answer.estimate for answer in read])}
    if way.expected:
        found["digits' expected price"] = to_usd(np.array([a.distribution for a in read]) @ np.log(PRICES_USD))
    if head is not None:
        with torch.inference_mode():
            found["head"] = to_usd(head.log_price(torch.tensor(pooled_states(pricer, texts))).numpy())
    if made.average:
        weights = [weight for weight in pricer.model.parameters() if weight.requires_grad]
        for weight, mean in zip(weights, made.average, strict=True):
            weight.data.copy_(mean)
        found["digits' median, averaged weights"] = np.array([answer.estimate for answer in pricer.estimate(texts)])
    cost = Cost(made.seconds, made.cpu_seconds, peak.bytes)
    return {f"{name}: {read}": guess for read, guess in found.items()}, cost


def baselines(train: list[Item], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the ridge and the blend with the frozen base say to ``texts``, in US dollars."""
    ridge, base = TfidfRidge().fit(train), Pricer.from_base(detect().base)
    assert ridge.held_out is not None
    states, asked = pooled_states(base, [item.text for item in train]), pooled_states(base, texts)
    words = ridge.predict(texts)
    return words, Blend.fit(states, np.array([item.price for item in train]), ridge.held_out).read(asked, words)[0]


def measure(file: str, names: list[str], folds: list[int]) -> None:
    """Train each way on each fold, and write after each what it reached over all folds so far."""
    from sklearn.model_selection import KFold

    items = list(load_items(file)[0])
    parts = list(KFold(5, shuffle=True, random_state=0).split(items))
    guesses: dict[str, list[np.ndarray]] = {}
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    prices: list[float] = []
    for done, fold in enumerate(folds, 1):
        seen, asked = ([items[i] for i in part] for part in parts[fold])
        texts = [item.text for item in asked]
        prices += [item.price for item in asked]
        for label, guess in zip((RIDGE, BLEND), baselines(seen, texts), strict=True):
            guesses.setdefault(label, []).append(guess)
        for name in names:
            found, cost = apart(answers, seen, texts, name)
            costs[name].append(cost)
            for label, guess in found.items():
                guesses.setdefault(label, []).append(guess)
            whole = {label: np.concatenate(each) for label, each in guesses.items() if len(each) == done}
            write(whole, np.array(prices), costs, folds[:done])


def write(guesses: dict[str, np.ndarray], prices: np.ndarray, costs: dict[str, list[Cost]], folds: list[int]) -> None:
    """Score answers to the items of ``folds`` and note them; costs are by way, one a fold."""
    kept = read_json(PATH)["rows"] if PATH.is_file() else []
    kept = [row for row in kept if row["read"] not in guesses or row["folds"] != folds[: len(row["folds"])]]
    for label, guess in guesses.items():
        score = evaluate(prices, guess, name=label)
        row = {"read": label, "folds": folds, "n": len(prices), "mae": score.mae.value, "rmsle": score.rmsle}
        if spent := costs.get(label.split(":")[0]):
            row |= {key: round(np.mean([getattr(cost, key) for cost in spent])) for key in ("seconds", "cpu_seconds")}
            row["peak_bytes"] = max(cost.peak_bytes for cost in spent)
        for key, reference in (("saved", RIDGE), ("saved_against_blend", BLEND)):
            if label not in (RIDGE, reference):
                saved = paired_difference(prices, guess, guesses[reference])
                row[key] = [saved.value, saved.low, saved.high]
        kept.append(row)
        print(row, flush=True)
    facts = {"command": "python -m benchmarks.heads FILE [WAY …] --folds FOLD …", "machine": this_machine()}
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
