"""Does a head that is trained with the adapter price better? `python -m benchmarks.heads SOURCE [WAY …] --folds 0 1`.

Folds of a catalog, ``workshop`` or a product file by its path: LoRA on four fifths, prices of the last fifth, for each
way of writing the loss. *Digits*: cross-entropy of the price's digits, as `pricelab finetune` does it. *Head*: squared
error of standardised log price, from a linear head on the pooled hidden states. *Probe first*: the head starts as a
ridge on the frozen states (linear probing, then fine-tuning; Kumar et al. 2022, arXiv 2202.10054), else from zero.
*Histogram*: cross-entropy against a Gaussian over 64 bins of log price (HL-Gauss, arXiv 2403.03950). *Quantiles*:
pinball loss at 19 levels, from the last hidden state (as in arXiv 2506.06657). *Expected price*: squared error of the
standardised log price that the digits' distribution expects (RAFT), which is then also what it answers (RAIL, arXiv
2403.04182). Digits are learned beside each of them, so that the adapter stays one that writes prices; the blend of the
frozen base stands in for what ships.

Then digits, alone or with the expected price, with one setting changed; with the weights of the pass after which a
held-out tenth was read best (early stopping); as the geometric mean of three seeds' answers; and with the adapter's
weights averaged over the last pass (Izmailov et al. 2018, arXiv 1803.05407). Each answer is also mixed in log
price with the ridge's, 60 : 40, and with the blend's, half and half.

Results of all folds asked for together go to ``data/results/heads.json``, on a GPU to ``heads-cuda.json``, with the
machine; other catalogs, ways and folds keep theirs. A GPU has room for several runs at a time (``--jobs``); what each
takes is then measured beside the others.

Notation: B items, T tokens, F features.
"""

import argparse
import functools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from benchmarks.expected_price import expected_log_price, states_with_prefixes
from benchmarks.price_heads import Head, Histogram, ProbeFirst, Quantiles, Regression
from benchmarks.readers import FOLDS, items_of, kind_of
from benchmarks.results import results_of
from pricelab.backbone import autocast, head_logits, hidden_states
from pricelab.baselines import TfidfRidge
from pricelab.baselines.rows import to_usd
from pricelab.blend import Blend
from pricelab.catalog import Item
from pricelab.costs.peak import peak_memory
from pricelab.decoding import PRICES_USD
from pricelab.evaluation import evaluate, paired_difference
from pricelab.examples import IGNORED, collate, encode
from pricelab.files import read_json, write_json_atomic
from pricelab.normalise import this_machine
from pricelab.pricer import Pricer
from pricelab.profiles import detect, pick_device, pick_precision
from pricelab.prompt import digit_tokens
from pricelab.recipe import Recipe
from pricelab.states import pooled_states, poolings
from pricelab.training import load_trainable

RECIPE = Recipe(epochs=2, batch_size=8, rank=16, alpha=32, targets=("attention",), learning_rate=5e-4)
HEAD_RATE = 1e-3
RIDGE, BLEND, PLAIN = "TF-IDF + ridge", "blend, nothing trained but its readers", "digits alone: digits' median"
SAVED = {"saved": RIDGE, "saved_against_blend": BLEND, "saved_against_plain": PLAIN}
MIXES = {"with_ridge": (RIDGE, 0.4), "with_blend": (BLEND, 0.5)}  # with whose answer, and its share in log price
HELD_OUT, HELD_PARTS = 10, 8  # one of so many items says which pass was best; batches that they are read in


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
    stop: bool = False  # answer with the weights of the pass after which held-out items were read best
    seeds: int = 1  # whose answers' geometric mean is taken


WAYS = {
    "digits alone": Way(digits=1.0),
    "digits and head": Way(head=Regression),
    "digits and head, probe first": Way(head=ProbeFirst),
    "digits and histogram": Way(head=Histogram),
    "digits and quantiles": Way(head=Quantiles),
    "digits and expected price": Way(expected=True),
    "digits alone, rank 4": Way(digits=1.0, changes={"rank": 4, "alpha": 8}),
    "digits alone, rank 64": Way(digits=1.0, changes={"rank": 64, "alpha": 128}),
    "digits alone, all layers": Way(digits=1.0, changes={"targets": ("all-linear",)}),
    "digits alone, rate 2e-4": Way(digits=1.0, changes={"learning_rate": 2e-4}),
    "digits alone, rate 1e-3": Way(digits=1.0, changes={"learning_rate": 1e-3}),
    "digits alone, 1 pass": Way(digits=1.0, changes={"epochs": 1}),
    "digits alone, 3 passes": Way(digits=1.0, changes={"epochs": 3}, average=True),
    "digits alone, best of 4 passes": Way(digits=1.0, changes={"epochs": 4}, stop=True),
    "digits alone, 3 seeds": Way(digits=1.0, seeds=3),
    "digits and expected price, rate 1e-3": Way(expected=True, changes={"learning_rate": 1e-3}),
    "digits and expected price, 3 passes": Way(expected=True, changes={"epochs": 3}, average=True),
    "digits and expected price, 3 seeds": Way(expected=True, seeds=3),
}


def pooled_of(states: Any, ends: Any) -> Any:
    """The prompt's mean and last hidden state (P, B, dim), from states (B, T, dim) and last places (B,)."""
    return poolings(states, (torch.arange(states.shape[1], device=ends.device)[None] <= ends[:, None]).long())


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
    held: dict[int, float]  # pass → loss on held-out items after it, in nats a token; empty if not asked for
    seconds: float
    cpu_seconds: float


def trained(items: list[Item], way: Way, seed: int = 0) -> Trained:
    """Train ``way`` on ``items``."""
    torch.manual_seed(seed)
    recipe = replace(RECIPE, **way.changes)
    base, model = load_trainable(detect().base, "lora", recipe, seed)
    pricer, log_price = Pricer("trained", base, model, recipe.max_text_tokens), np.log([item.price for item in items])
    examples, pad = encode(base.tokenizer, items, recipe.max_text_tokens), base.tokenizer.pad_token_id
    head = way.head(pooled_states(pricer, [i.text for i in items]), log_price) if way.head else None
    spread, digits = float(log_price.std()), digit_tokens(base.tokenizer)
    weights = [w for w in model.parameters() if w.requires_grad]
    average = [torch.zeros_like(weight) for weight in weights] if way.average else []
    groups = [{"params": weights, "lr": recipe.learning_rate}]
    if head is not None:
        groups.append({"params": list(head.to(base.device).parameters()), "lr": HEAD_RATE})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    held, learned = np.split(np.random.default_rng(seed).permutation(len(items)), [way.stop * len(items) // HELD_OUT])
    learned.sort()
    passes, each = int(recipe.epochs), -(-len(learned) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=passes * each, pct_start=recipe.warmup, div_factor=100
    )

    def loss_of(batch: np.ndarray, way: Way) -> tuple[Any, Any, Any, Any]:
        """The digits' loss, the target, the states and the prompts' ends of some items."""
        inputs = {name: rows.to(base.device) for name, rows in collate([examples[i] for i in batch], pad).items()}
        target = torch.tensor(log_price[batch], dtype=torch.float32, device=base.device)
        loss, states, ends = digits_loss(model, way, inputs, target, spread, digits)
        return loss, target, states, ends

    dice, start, busy = np.random.default_rng(seed), time.perf_counter(), time.process_time()
    told: dict[int, float] = {}
    best: list[torch.Tensor] = []
    precise = functools.partial(autocast, base.device, pick_precision(base.device)[0])
    for number in range(1, passes + 1):
        model.train()
        for batch in batches(dice, [examples[i] for i in learned], recipe.batch_size):
            with precise():
                loss, target, states, ends = loss_of(learned[batch], way)
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
        if way.stop:
            with torch.no_grad(), precise():
                each_part = [
                    float(loss_of(part, Way(digits=1.0))[0])
                    for part in np.array_split(held, min(HELD_PARTS, len(held)))
                ]
            told[number] = float(np.mean(each_part))
            if told[number] == min(told.values()):
                best = [weight.detach().clone() for weight in weights]
    put(weights, best)
    return Trained(pricer, head, average, told, time.perf_counter() - start, time.process_time() - busy)


def put(weights: Sequence[Any], values: Sequence[Any]) -> None:
    """Set ``weights`` to ``values``, or leave them where there are none."""
    for weight, value in zip(weights, values, strict=bool(values)):
        weight.data.copy_(value)


def batches(dice: np.random.Generator, examples: list, size: int) -> list[np.ndarray]:
    """Batches of similar length, in random order."""
    order = dice.permutation(len(examples))
    chunks = [order[start : start + 25 * size] for start in range(0, len(order), 25 * size)]
    found = []
    for chunk in chunks:
        by_length = np.array(sorted(chunk, key=lambda i: -len(examples[i]["input_ids"])))
        found += [by_length[start : start + size] for start in range(0, len(by_length), size)]
    dice.shuffle(found)
    return found


def answers(train: list[Item], texts: list[str], name: str) -> tuple[dict[str, np.ndarray], Cost]:
    """What each way of reading says to ``texts`` in US dollars, and what training took."""
    way, spoken, costs = WAYS[name], [], []
    for seed in range(way.seeds):
        with peak_memory(pick_device()) as peak:
            made = trained(train, way, seed)
        spoken.append(said(made, way, texts))
        costs.append(Cost(made.seconds, made.cpu_seconds, peak.bytes))
    mean = {read: np.exp(np.mean([np.log(one[read]) for one in spoken], axis=0)) for read in spoken[0]}
    seconds, cpu_seconds = sum(cost.seconds for cost in costs), sum(cost.cpu_seconds for cost in costs)
    cost = Cost(seconds, cpu_seconds, max(cost.peak_bytes for cost in costs))
    return {f"{name}: {read}": guess for read, guess in mean.items()}, cost


def said(made: Trained, way: Way, texts: list[str]) -> dict[str, np.ndarray]:
    """What one trained model says to ``texts``, in US dollars, by way of reading."""
    pricer, head = made.pricer, made.head
    read = pricer.estimate(texts)
    found = {"digits' median": np.array([answer.estimate for answer in read])}
    if way.expected:
        found["digits' expected price"] = to_usd(np.array([a.distribution for a in read]) @ np.log(PRICES_USD))
    if head is not None:
        with torch.inference_mode():
            states = torch.tensor(pooled_states(pricer, texts), device=pricer.model.device)
            found["head"] = to_usd(head.log_price(states).cpu().numpy())
    if made.average:
        put([weight for weight in pricer.model.parameters() if weight.requires_grad], made.average)
        found["digits' median, averaged weights"] = np.array([answer.estimate for answer in pricer.estimate(texts)])
    return found


def baselines(train: list[Item], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What the ridge and the blend with the frozen base say to ``texts``, in US dollars."""
    ridge, base = TfidfRidge().fit(train), Pricer.from_base(detect().base)
    assert ridge.held_out is not None
    states, asked = pooled_states(base, [item.text for item in train]), pooled_states(base, texts)
    words = ridge.predict(texts)
    return words, Blend.fit(states, np.array([item.price for item in train]), ridge.held_out).read(asked, words)[0]


def processes(jobs: int) -> Executor:
    """So many processes side by side; on a CPU each does one thing, so that no memory freed before is used again."""
    each = None if pick_device() == "cuda" else 1
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=each)


def measure(source: str, names: list[str], folds: list[int], jobs: int = 1) -> None:
    """Train each way on each fold, and write after each what it reached over all folds so far."""
    from sklearn.model_selection import KFold

    items = items_of(source)
    parts = list(KFold(FOLDS, shuffle=True, random_state=0).split(items))
    guesses: dict[str, list[np.ndarray]] = {}
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    prices: list[float] = []
    with processes(jobs) as pool:
        asked = {fold: [items[i] for i in parts[fold][1]] for fold in folds}
        work: dict[int, list[Any]] = {}
        for fold in folds:
            given = [items[i] for i in parts[fold][0]], [item.text for item in asked[fold]]
            work[fold] = [pool.submit(baselines, *given), *(pool.submit(answers, *given, name) for name in names)]
        for done, fold in enumerate(folds, 1):
            prices += [item.price for item in asked[fold]]
            for label, guess in zip((RIDGE, BLEND), work[fold][0].result(), strict=True):
                guesses.setdefault(label, []).append(guess)
            for name, running in zip(names, work[fold][1:], strict=True):
                found, cost = running.result()
                costs[name].append(cost)
                for label, guess in found.items():
                    guesses.setdefault(label, []).append(guess)
                whole = {label: np.concatenate(each) for label, each in guesses.items() if len(each) == done}
                write(kind_of(source), whole, np.array(prices), costs, folds[:done])


def write(
    catalog: str, guesses: dict[str, np.ndarray], prices: np.ndarray, costs: dict[str, list[Cost]], folds: list[int]
) -> None:
    """Score answers to the items of ``folds`` of a catalog and note them; costs are by way, one a fold."""
    path = results_of("heads")
    kept = read_json(path)["rows"] if path.is_file() else []
    kept = [
        row for row in kept
        if row["catalog"] != catalog or row["read"] not in guesses or row["folds"] != folds[: len(row["folds"])]
    ]  # fmt: skip
    for label, guess in guesses.items():
        row: dict[str, Any] = {"catalog": catalog, "read": label, "folds": folds, "n": len(prices)}
        row |= scored(label, guess, guesses, prices)
        if label not in (RIDGE, BLEND):
            for key, (other, share) in MIXES.items():
                mixed = np.exp((1 - share) * np.log(guess) + share * np.log(guesses[other]))
                row[key] = scored(label, mixed, guesses, prices)
        if spent := costs.get(label.split(":")[0]):
            row |= {key: round(np.mean([getattr(cost, key) for cost in spent])) for key in ("seconds", "cpu_seconds")}
            row["peak_bytes"] = max(cost.peak_bytes for cost in spent)
        kept.append(row)
    print(f"{catalog}, folds {folds}: {len(guesses)} readings written", flush=True)
    facts = {"command": "python -m benchmarks.heads SOURCE [WAY …] --folds FOLD …", "machine": this_machine()}
    facts |= {"base": detect().base, "recipe": RECIPE.as_dict(), "threads": torch.get_num_threads()}
    write_json_atomic(path, {**facts, "rows": sorted(kept, key=lambda row: (row["catalog"], row["folds"]))})


def scored(label: str, guess: np.ndarray, guesses: dict[str, np.ndarray], prices: np.ndarray) -> dict[str, Any]:
    """The errors of answers in US dollars, and what they save against those of `SAVED`, with intervals."""
    score = evaluate(prices, guess, name=label)
    found: dict[str, Any] = {"mae": score.mae.value, "rmsle": score.rmsle}
    for key, reference in SAVED.items():
        if label not in (RIDGE, reference) and reference in guesses:
            saved = paired_difference(prices, guess, guesses[reference])
            found[key] = [saved.value, saved.low, saved.high]
    return found


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Ways to train an adapter, and heads beside it, by folds.")
    options.add_argument("source", help="'workshop' or a product file")
    options.add_argument("ways", nargs="*", metavar="WAY", help=f"of {', '.join(WAYS)}; by default all")
    options.add_argument("--folds", nargs="+", type=int, choices=range(FOLDS), default=[0], help=f"of {FOLDS}")
    options.add_argument("--jobs", type=int, default=1, help="runs at a time")
    given = options.parse_args()
    measure(given.source, given.ways or list(WAYS), given.folds, given.jobs)
