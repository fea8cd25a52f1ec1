"""What fine-tuning leaves behind: a standard PEFT adapter (or a full checkpoint) with a manifest that vouches for it.

``manifest.json`` is written last, so a folder that has one is a finished run. Loading checks every file's hash, the
base and the tokenizer before anything is used, and refuses what doesn't fit in words. Introduced in notebook 07.
"""

import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from pricelab.baselines import TfidfRidge
from pricelab.blend import FILE as BLEND_FILE
from pricelab.blend import Blend
from pricelab.files import read_json, sha256_of, write_json_atomic
from pricelab.intervals import Calibration
from pricelab.price_format import PriceFormat
from pricelab.pricer import BLEND, DIGITS, Pricer, adapted_layers
from pricelab.prompt import PROMPT_VERSION
from pricelab.recipe import METHODS
from pricelab.scope import Scope
from pricelab.stored import check_number

SCHEMA = 1
MANIFEST = "manifest.json"
RUN = "run.json"  # the settings of a run that isn't finished
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "safetensors")
NEEDED = {"base": ("name", "revision"), "data": ("name", "fingerprint", "train_items", "median_price_usd")}


@dataclass(frozen=True)
class Manifest:
    """How a predictor was made, and what its files must be."""

    method: str  # "qlora", "lora" or "full"
    base: dict[str, str]  # name and revision
    quantisation: str | None  # "nf4" or None
    tokenizer_sha256: str
    max_text_tokens: int
    data: dict[str, Any]  # name, fingerprint, items, median price in US dollars
    recipe: dict[str, Any]  # settings of the training run
    seed: int
    calibration: dict[str, Any] | None
    metrics: dict[str, Any]  # measured while training
    files: dict[str, str] = field(default_factory=dict)  # name → SHA-256
    read_outs: dict[str, Any] = field(default_factory=dict)  # "default", and what belongs to those beside the digits
    scope: dict[str, Any] | None = None  # limits of what can be priced; None in manifests from before there were any
    price_format: dict[str, Any] | None = None  # fields of a `PriceFormat`; None, and then left out: whole dollars
    prompt_version: int = PROMPT_VERSION
    schema: int = SCHEMA
    packages: dict[str, str] = field(default_factory=lambda: {name: version(name) for name in PACKAGES})
    machine: str = field(default_factory=lambda: f"{platform.machine()}, Python {platform.python_version()}")

    def seal(self, folder: Path, names: Iterable[str]) -> "Manifest":
        """Hash the files called ``names`` and write the manifest; from now on the run counts as finished."""
        sealed = Manifest(**{**vars(self), "files": {name: sha256_of(folder / name) for name in sorted(names)}})
        write_json_atomic(folder / MANIFEST, sealed.as_dict())
        return sealed

    def as_dict(self) -> dict[str, Any]:
        """What the file holds."""
        kept = asdict(self)
        if self.price_format is None:
            del kept["price_format"]
        return kept

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest in ``folder``; `ValueError` says what is wrong with it."""
        if not (folder / MANIFEST).is_file():
            unfinished = "an unfinished run; run the same `finetune` again to resume it"
            what = unfinished if is_unfinished(folder) else "no run"
            raise ValueError(f"{folder} holds {what} (no {MANIFEST} there)")
        content = read_json(folder / MANIFEST)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else None
            raise ValueError(f"{folder / MANIFEST} has schema {found!r}, this version reads {SCHEMA}; update pricelab")
        try:
            manifest = cls(**content)
            _check_values(manifest)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{folder / MANIFEST} doesn't follow schema {SCHEMA}: {error}; copy the whole folder again, or "
                "fine-tune into a new one"
            ) from error
        return manifest

    def check(self, folder: Path) -> None:
        """Compare every file's hash; `ValueError` names the first that is missing, changed or not vouched for."""
        whole = ["config.json", *sorted(path.name for path in folder.glob("model*.safetensors"))]
        weights = whole if self.method == "full" else ["adapter_model.safetensors", "adapter_config.json"]
        read = (*weights, "ridge.json", "ridge.safetensors", *([BLEND_FILE] if BLEND in self.read_outs else []))
        for name in dict.fromkeys((*read, *self.files)):
            path = folder / name
            if not path.is_file():
                raise ValueError(f"{path} is missing; copy the whole folder again, or fine-tune with --overwrite")
            if sha256_of(path) != self.files.get(name):
                raise ValueError(f"{path} was changed after training: its SHA-256 isn't the manifest's; refused")


def _check_values(manifest: Manifest) -> None:
    """Refuse what no training writes, before anything is loaded for it; the error says what, not where."""
    for held in fields(Manifest):
        parts = get_args(held.type) if isinstance(held.type, UnionType) else (held.type,)
        kinds = tuple(get_origin(part) or part for part in parts)
        if not isinstance(value := getattr(manifest, held.name), kinds):
            raise TypeError(f"{held.name} is {value!r}, expected {' or '.join(kind.__name__ for kind in kinds)}")
    for name, needed in NEEDED.items():
        if missing := [key for key in needed if key not in getattr(manifest, name)]:
            raise ValueError(f"{name} lacks {', '.join(missing)}")
    if odd := [value for value in (*manifest.base.values(), *manifest.files.values()) if not isinstance(value, str)]:
        raise TypeError(f"base or files hold {odd[0]!r}, expected text")
    if outside := [name for name in manifest.files if Path(name).name != name]:
        raise ValueError(f"it names the file {outside[0]!r}, outside its folder")
    if manifest.method not in METHODS:
        raise ValueError(f"method is {manifest.method!r}, expected one of {', '.join(METHODS)}")
    check_number("max_text_tokens", manifest.max_text_tokens, 1)
    check_number("median_price_usd", manifest.data["median_price_usd"], 0)
    limits = manifest.data.get("price_range")
    if limits is not None and not (isinstance(limits, list) and len(limits) == 2):
        raise ValueError(f"price_range is {limits!r}, expected the lowest and the highest price")
    for limit in limits or ():
        check_number("price_range", limit, 0)
    PriceFormat.stored(manifest.price_format)  # these three check their own values
    Scope(**manifest.scope or {})
    Calibration(**manifest.calibration or {"offset": 0, "n": 1})


def is_finished(folder: Path) -> bool:
    """Whether ``folder`` holds a finished run."""
    return (folder / MANIFEST).is_file()


def is_unfinished(folder: Path) -> bool:
    """Whether ``folder`` holds a run that was started and not finished."""
    return not is_finished(folder) and (folder / RUN).is_file()


def tokenizer_sha256(tokenizer: Any) -> str:
    """SHA-256 of the tokenizer's whole definition."""
    import hashlib

    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def load_pricer(folder: Path, device: str | None = None, beside: Pricer | None = None) -> Pricer:
    """Load and verify a predictor; see `Pricer.load`."""
    return load_checked(folder, checked(folder), device, beside)


def checked(folder: Path) -> Manifest:
    """The manifest of a finished run, each file compared with it; `ValueError` says what is wrong."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give the --out folder of `pricelab finetune`")
    manifest = Manifest.read(folder)
    manifest.check(folder)
    return manifest


def load_checked(folder: Path, manifest: Manifest, device: str | None = None, beside: Pricer | None = None) -> Pricer:
    """The predictor whose files `checked` has compared already."""
    if manifest.prompt_version != PROMPT_VERSION:
        raise ValueError(
            f"{folder} was trained with prompt version {manifest.prompt_version}, this pricelab asks with "
            f"{PROMPT_VERSION}; install the version that made it, or fine-tune again"
        )
    base, model, adapter_name = (
        _lay_beside(folder, manifest, beside) if beside else _load_model(folder, manifest, device)
    )
    ridge = TfidfRidge.load(folder)
    if tokenizer_sha256(base.tokenizer) != manifest.tokenizer_sha256:
        raise ValueError(f"the tokenizer of {base.key} isn't the one {folder} was trained with; fine-tune again")
    return Pricer(
        name=f"{manifest.base['name']}, {manifest.method}",
        base=base,
        model=model.eval(),
        max_text_tokens=manifest.max_text_tokens,
        calibration=Calibration(**manifest.calibration) if manifest.calibration else None,
        scope=Scope.stored(manifest.scope, ridge),
        price_format=PriceFormat.stored(manifest.price_format),
        ridge=ridge,
        manifest=manifest,
        adapter_name=adapter_name,
        blend=Blend.load(folder, manifest.read_outs[BLEND]) if BLEND in manifest.read_outs else None,
    ).reading(manifest.read_outs.get("default", DIGITS))


def _load_model(folder: Path, manifest: Manifest, device: str | None) -> tuple[Any, Any, None]:
    from peft import PeftModel

    from pricelab.bases import load_base, quiet

    options: dict[str, Any] = {"device": device, "text_tokens": manifest.max_text_tokens}
    if manifest.method == "full":
        base = load_base(str(folder.resolve()), **options)  # "tiny" is a key, also where a folder is called so
        return base, base.model, None
    name, revision = manifest.base["name"], manifest.base["revision"]
    base = load_base(name, quantise=manifest.quantisation == "nf4", revision=revision, **options)
    if base.revision != revision:
        raise ValueError(
            f"{folder} was trained on {name} at {revision[:12]}, here it is {base.revision[:12]}; an adapter fits only "
            "the weights it was trained on"
        )
    with quiet():
        return base, PeftModel.from_pretrained(base.model, str(folder)), None


def _lay_beside(folder: Path, manifest: Manifest, beside: Pricer) -> tuple[Any, Any, str]:
    """The adapter in ``folder`` on the base that ``beside`` holds, and the name that it goes by there."""
    from peft import PeftModel

    from pricelab.bases import quiet

    base, wanted = beside.base, (manifest.base["revision"], manifest.quantisation)
    if manifest.method == "full":
        raise ValueError(f"{folder} holds a whole model, not an adapter: it needs no base; load it by itself")
    if wanted != (base.revision, base.quantisation):
        held = f"{base.key} at {base.revision[:12]}, {base.quantisation or '16 bits'}"
        asked = f"{manifest.base['name']} at {wanted[0][:12]}, {wanted[1] or '16 bits'}"
        raise ValueError(f"{folder} was trained on {asked}, in memory is {held}; load it by itself")
    name = f"sha256-{manifest.files['adapter_model.safetensors'][:16]}"
    with quiet():
        if not isinstance(beside.model, PeftModel):
            if adapted_layers(beside.model):
                raise ValueError(
                    f"the base that {beside.name} holds has an adapter already; load {folder} beside the predictor of "
                    "that one"
                )
            model = PeftModel.from_pretrained(base.model, str(folder), adapter_name=name)
        else:
            model = beside.model
            if name not in model.peft_config:
                model.load_adapter(str(folder), adapter_name=name)
    return base, model.eval(), name
