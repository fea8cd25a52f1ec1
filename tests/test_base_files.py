"""Where a base's files are: named by key, folder or hub id, pinned, held against their hashes."""

import json
import os
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pricelab import base_files
from pricelab.base_files import REGISTRY, locate, verify
from pricelab.bases import load_base
from pricelab.files import sha256_of
from pricelab.smollm2 import WHEEL_SHA256

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(toy_base, tmp_path):
    """A copy of the toy base that may be damaged."""
    return shutil.copytree(toy_base, tmp_path / "base")


# ---- keys and folders


def test_the_keys_are_found_where_they_live(monkeypatch, tmp_path, toy_base):
    (tmp_path / "tiny-base").symlink_to(toy_base)
    monkeypatch.setattr(base_files, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(base_files, "smollm2_folder", lambda: Path("/cache/smollm2"))
    assert locate("tiny") == (str(tmp_path / "tiny-base"), sha256_of(toy_base / "model.safetensors"))
    assert locate("smollm2-135m") == ("/cache/smollm2", WHEEL_SHA256)
    assert {"tiny", "smollm2-135m"} < set(REGISTRY)
    assert all(name.count("/") == 1 for name in set(REGISTRY) - {"tiny", "smollm2-135m"})


def test_a_folder_is_pinned_by_the_hash_of_its_weights(folder):
    assert locate(str(folder)) == (str(folder), sha256_of(folder / "model.safetensors"))


@pytest.mark.parametrize("name", ["tiny", "a folder"])
def test_what_is_pinned_by_its_own_hash_needs_no_second_look(name, folder):
    verify(str(folder) if name == "a folder" else name)


# ---- the model hub, stood in for by a server on this machine


def hub_hash(path):
    """Large files are named by SHA-256, small ones as Git does."""
    if path.suffix == ".safetensors":
        return sha256_of(path)
    return subprocess.run(["git", "hash-object", path], check=True, capture_output=True, text=True).stdout.strip()


class Hub(BaseHTTPRequestHandler):
    """Holds org/toy, gates org/gated, and knows no other model."""

    folder: Path
    asked: list[str] = []

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if "org/gated" in path:  # everybody may know of it, few may read its files
            return self.say(403, code="GatedRepo") if "/resolve/" in path else self.say(200, b'{"id": "org/gated"}')
        if "org/toy" not in path:
            return self.say(404, code="RepoNotFound")
        if path.endswith("auth-check"):
            return self.say(200)
        if path.startswith("/api/models/org/toy") and "tree" not in path:
            return self.say(200, json.dumps({"id": "org/toy", "sha": COMMIT, "siblings": []}).encode())
        file = self.folder / path.rpartition("/")[2]
        if "/resolve/" in path and file.is_file():
            return self.say(200, file.read_bytes(), etag=hub_hash(file))
        return self.say(404, code="EntryNotFound")

    def say(self, status, content=b"{}", code=None, etag=None):
        self.send_response(status)
        headers = {"X-Error-Code": code, "ETag": etag and f'"{etag}"', "X-Repo-Commit": COMMIT}
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


QUESTIONS = """
import json, sys, time
from pricelab.base_files import locate, verify
from pricelab.bases import load_base

answers = {}
for name in sys.argv[1:]:
    start = time.monotonic()
    try:
        if name.startswith("verify:"):
            verify(name.removeprefix("verify:"))
            answers[name] = ["verified"]
        elif name.startswith("load:"):
            base = load_base(name.removeprefix("load:"))
            answers[name] = ["loaded", base.revision, base.parameters]
        else:
            answers[name] = ["located", *locate(name)]
    except Exception as error:
        answers[name] = [type(error).__name__, str(error)]
    answers[name].append(time.monotonic() - start)
print(json.dumps(answers))
"""


def ask(endpoint, home, *names, **environment):
    """What `locate`, `verify` and `load_base` answer in a process that takes ``endpoint`` for the hub."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", **environment}
    environment["HF_HUB_DISABLE_XET"] = environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", QUESTIONS, *names], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def hub(toy_base):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Hub,), {"folder": toy_base, "asked": []}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def answers(hub, home):
    return ask(hub, home, "org/gated", "org/missing", "load:org/toy")


def test_a_gated_model_is_refused_with_what_to_do(answers):
    kind, words, _ = answers["org/gated"]
    assert kind == "ConnectionError" and "accept its licence on its hub page" in words and "hf auth login" in words


def test_a_model_that_is_not_there_is_refused(answers):
    kind, words, _ = answers["org/missing"]
    assert kind == "ValueError" and "no model 'org/missing' in the transformers format" in words


def test_a_model_of_the_hub_is_loaded_and_pinned_to_its_commit(answers, toy_base):
    assert answers["load:org/toy"][:3] == ["loaded", COMMIT, load_base(str(toy_base)).parameters]


def test_a_downloaded_model_loads_without_the_hub(answers, home):
    found = ask("http://127.0.0.1:9", home, "load:org/toy", HF_HUB_OFFLINE="1")
    assert found["load:org/toy"][:3] == answers["load:org/toy"][:3]


def test_without_a_network_it_says_so_at_once(answers, home):
    found = ask("http://127.0.0.1:9", home, "org/toy", "org/other")  # the discard service's port: nothing listens
    assert found["org/toy"][:3] == ["located", "org/toy", COMMIT]
    kind, words, seconds = found["org/other"]
    assert kind == "ConnectionError" and "did not answer for org/other" in words and "smollm2-135m" in words
    assert seconds < 5


def test_switched_off_line_it_says_so_without_asking(home):
    (kind, words, _) = ask("http://127.0.0.1:9", home, "org/other", HF_HUB_OFFLINE="1")["org/other"]
    assert kind == "ConnectionError" and "did not answer for org/other" in words


@pytest.mark.parametrize("damaged", ["model.safetensors", "config.json"])
def test_a_file_damaged_in_the_hubs_cache_is_found(answers, home, tmp_path, damaged):
    copy = shutil.copytree(home, tmp_path / "home", symlinks=True)
    (found,) = ask("http://127.0.0.1:9", copy, "verify:org/toy", HF_HUB_OFFLINE="1").values()
    assert found[0] == "verified"
    path = next(copy.rglob(f"snapshots/*/{damaged}")).resolve()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (found,) = ask("http://127.0.0.1:9", copy, "verify:org/toy", HF_HUB_OFFLINE="1").values()
    assert found[0] == "ValueError" and f"{damaged} of org/toy in the hub's cache was changed or damaged" in found[1]
    assert f"remove {path} and start again" in found[1]
