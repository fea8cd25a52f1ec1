"""Other platforms, as far as Linux shows them: consoles without every sign, encodings, names, mapped files."""

import ast
import csv
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import pricelab
from benchmarks import platforms as platforms_page
from pricelab import cli, platforms
from pricelab.artifacts import checked
from pricelab.files import read_json
from pricelab.platforms import CAN, MISSING, NAMES, as_text, examine_platform, name_of, prepare_console, writes_unicode

ROOT = Path(__file__).parents[1]
LIBRARY = sorted(ROOT.glob("pricelab/**/*.py"))
SOURCES = [*LIBRARY, *sorted(ROOT.glob("benchmarks/*.py"))]
CONSOLES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},  # Windows, redirected
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
every_console = pytest.mark.parametrize("console", CONSOLES.values(), ids=CONSOLES)


def run(console, *arguments, **options):
    """The command line in a process of its own, its output as bytes."""
    command = [sys.executable, "-m", "pricelab", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **console}, capture_output=True, **options)


# ---- consoles


PAGES = """
import sys
from pricelab import cli
for name in sys.argv[1:]:
    try:
        cli.main([*filter(None, [name]), "--help"])
    except SystemExit as leaving:
        assert not leaving.code, name
    print(f"end of {name}.")
"""


@pytest.mark.parametrize(
    "console", [*CONSOLES.values(), {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}], ids=[*CONSOLES, "strict ascii"]
)
def test_every_page_of_help_is_printed_on_any_console(console):
    names = ["", *(each.name or each.callback.__name__.replace("_", "-") for each in cli.app.registered_commands)]
    command = [sys.executable, "-c", PAGES, *names]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **console}, capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode(errors="replace")[-2000:]
    rest = done.stdout.decode("cp1252" if console is CONSOLES["cp1252"] else "ascii")
    for name in names:
        page, end, rest = rest.partition(f"end of {name}.")
        assert end and f"{name} [OPTIONS]" in page and "Show this message" in page, name
    assert "finetune" in names and len(names) > 10


@every_console
def test_the_catalog_is_the_same_on_any_console(console, tmp_path):
    out = tmp_path / "Käse"
    done = run(console, "catalog", "--out", str(out))
    assert done.returncode == 0, done.stderr
    shipped = {path.name: path.read_bytes() for path in (ROOT / "data" / "catalog").iterdir()}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == shipped
    assert done.stdout.count(b"train.csv") == 1


def test_a_file_keeps_its_texts_on_a_console_without_signs(tmp_path):
    texts = ["Café-Mühle aus Stahl, ½ kg", "“smart” lamp – 價 ✓", "plain kettle"]
    new, priced = tmp_path / "Käse.csv", tmp_path / "Preise.csv"
    new.write_text("\n".join(["title", *(f'"{text}"' for text in texts)]), encoding="utf-8")
    done = run(CONSOLES["ascii"], "predict", str(ROOT / "data" / "adapters" / "tiny"), str(new), "--out", str(priced))
    assert done.returncode == 0 and b"wrote 3 rows" in done.stdout, done.stderr
    with open(priced, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"] for row in rows] == texts
    assert all(0 < float(row["low"]) <= float(row["estimate"]) <= float(row["high"]) for row in rows)


def test_the_doctor_prints_and_names_the_console():
    done = run({**CONSOLES["ascii"], "PRICELAB_PROFILE": "smoke"}, "doctor")
    assert b"PYTHONUTF8=1" in done.stdout and b"Traceback" not in done.stderr


def test_a_description_reaches_the_pricer_as_it_was_typed_and_json_stays_json(monkeypatch):
    asked = []
    answer = types.SimpleNamespace(estimate=3.0, low=1.0, high=9.0, warning="“½” is unknown", unread=0.0)
    pricer = types.SimpleNamespace(estimate=lambda text: asked.append(text) or answer)
    loader = types.SimpleNamespace(load=lambda folder: pricer)
    monkeypatch.setitem(vars(pricelab), "Pricer", loader)
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    with pytest.raises(SystemExit) as leaving:
        cli.main(["predict", "runs/x", "Caf\udcc3\udca9", "--json"])
    narrow.flush()
    assert not leaving.value.code and asked == ["Café"]
    assert json.loads(narrow.buffer.getvalue())["warning"] == answer.warning


def test_signs_that_a_console_lacks_become_question_marks(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    wide = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr(sys, "stderr", wide)
    prepare_console()
    narrow.write("½ ✓")
    narrow.flush()
    assert narrow.buffer.getvalue() == b"? ?" and wide.errors == "strict"
    assert writes_unicode(wide) and not writes_unicode(narrow) and writes_unicode(io.StringIO())
    assert [found.name for found in examine_platform()][-1] == "console"


@pytest.mark.parametrize(
    ("argument", "text"),
    [("Café", "Café"), ("", ""), ("Caf\udcc3\udca9", "Café"), ("\udcff!", "\ufffd!")],
)
def test_an_argument_is_read_as_it_was_typed(argument, text):
    assert as_text(argument) == text


# ---- what the doctor says of each


@pytest.mark.parametrize(
    ("system", "machine", "release", "name"),
    [
        ("Linux", "x86_64", "6.1.0-amd64", "Linux"),
        ("Linux", "aarch64", "6.1.0", "Linux on ARM"),
        ("Linux", "x86_64", "5.15.153.1-microsoft-standard-WSL2", "WSL"),
        ("Linux", "x86_64", "4.4.0-19041-Microsoft", "WSL"),
        ("Darwin", "arm64", "23.5.0", "macOS on Apple silicon"),
        ("Windows", "AMD64", "11", "Windows"),
        ("FreeBSD", "amd64", "14", "FreeBSD on amd64"),
    ],
)
def test_platforms_have_names(system, machine, release, name):
    assert name_of(system, machine, release) == name


def test_every_platform_is_told_what_it_can_do_or_what_to_do_instead():
    assert {*NAMES.values(), "WSL"} == {*CAN, *MISSING} and not {*CAN} & {*MISSING}
    assert platforms_page.page() == platforms_page.PAGE.read_text(encoding="utf-8"), "python -m benchmarks.platforms"


def test_what_was_resolved_is_what_lock_and_extras_ask_for_today():
    facts = read_json(platforms_page.RESULTS / platforms_page.FILE)
    assert facts["resolved_sha256"] == platforms_page.fingerprint(), (
        "requirements.lock or pyproject.toml changed since the wheels were looked for: "
        f"run `{platforms_page.COMMAND}` again (it needs uv and a network) and commit what it writes"
    )
    for answers in facts["platforms"].values():
        assert [one["python"] for one in answers] == [*platforms_page.PYTHONS]


def test_the_fingerprint_follows_the_lock_and_every_extra_that_the_workbook_brings_in(tmp_path, monkeypatch):
    files = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "requirements.lock")}
    monkeypatch.setattr(platforms_page, "ROOT", tmp_path)

    def fingerprint(name="pyproject.toml", old="", new=""):
        assert old in files[name]
        for each, text in files.items():
            changed = text.replace(old, new) if each == name else text
            (tmp_path / each).write_text(changed, encoding="utf-8")
        return platforms_page.fingerprint()

    same = fingerprint()
    assert {"torch>=2.11", "nbclient>=0.10", "modal>=1.6", "uvicorn>=0.35"} <= {*platforms_page.wanted()}
    for old in ("nbclient>=0.10", "modal>=1.6", "uvicorn>=0.35", "torch>=2.11"):
        assert fingerprint(old=f'"{old}"', new=f'"{old}.1"') != same
    assert fingerprint("requirements.lock", "\ntorch==", "\ntorch==9") != same
    assert fingerprint(old='"optuna>=4.2"', new='"optuna>=4.3"') == same, "[lab] doesn't bring optuna in"


def test_there_are_wheels_for_the_platforms_that_work_and_for_no_other():
    found = read_json(platforms_page.RESULTS / platforms_page.FILE)["platforms"]
    assert {name: all(one["packages"] for one in answers) for name, answers in found.items()} == {
        name: name in CAN for name in NAMES.values()
    }


def test_a_python_without_wheels_is_said_beside_one_with_them():
    answers = [{"python": "3.13.1", "packages": 3}, {"python": "3.14.0", "packages": 0}]
    shown = platforms_page.table({"platforms": {"Linux": answers}, "uv": "1", "command": "c"})
    assert "| yes: 3 packages on Python 3.13.1, no on Python 3.14.0 |" in shown


def pretend(monkeypatch, system="Linux", machine="x86_64", release="6", macos="", libc="glibc"):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "release", lambda: release)
    monkeypatch.setattr(platform, "mac_ver", lambda: (macos, ("", "", ""), machine))
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, ""))
    return [(found.name, found.cure) for found in examine_platform() if found.cure]


def test_what_cannot_work_comes_with_its_cure(monkeypatch):
    assert pretend(monkeypatch) == []
    assert pretend(monkeypatch, "Darwin", "arm64", macos="14.5") == []
    assert pretend(monkeypatch, "Windows", "AMD64", libc="") == []
    ((name, cure),) = pretend(monkeypatch, "Darwin", "arm64", macos="13.6")
    assert name == "macOS" and "macOS 14" in cure
    ((name, cure),) = pretend(monkeypatch, "Darwin", "x86_64", macos="14.5")
    assert name == "platform" and "Colab" in cure
    ((name, cure),) = pretend(monkeypatch, "Windows", "ARM64", libc="")
    assert name == "platform" and "WSL" in cure
    ((name, cure),) = pretend(monkeypatch, libc="")
    assert name == "C library" and "glibc" in cure


def test_a_cache_on_a_windows_disk_is_noticed_under_wsl(monkeypatch):
    assert pretend(monkeypatch, release="5.15-microsoft-standard-WSL2") == []
    monkeypatch.setattr(platforms, "_cache", lambda: "/mnt/c/Users/me/cache")
    ((name, cure),) = pretend(monkeypatch, release="5.15-microsoft-standard-WSL2")
    assert name == "cache" and "PRICELAB_CACHE" in cure


def test_32_bits_are_noticed(monkeypatch):
    monkeypatch.setattr(platforms.struct, "calcsize", lambda _: 4)
    assert ("Python's width", "install a 64-bit Python") in pretend(monkeypatch)


# ---- what the code may not take for granted


def calls(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def called(call):
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


MODE = re.compile(r"[rwax][bt+]*")


def names_no_encoding(call):
    """Whether a call reads or writes text in whatever encoding the platform has."""
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    name, method = called(call), isinstance(call.func, ast.Attribute)
    if "encoding" in options:
        return False
    if name in ("read_text", "write_text"):
        return method and len(call.args) <= (name == "write_text")
    if name in ("run", "Popen", "check_output"):
        return bool(options.keys() & {"text", "universal_newlines"})
    if name != "open":
        return False
    given = options.get("mode", call.args[not method] if len(call.args) > (not method) else None)
    mode = given.value if isinstance(given, ast.Constant) else ""
    if method and call.args and not MODE.fullmatch(str(mode)):  # gzip.open(path, "rt"), archive.open(name)
        second = call.args[1] if len(call.args) > 1 else options.get("mode")
        return isinstance(second, ast.Constant) and "t" in str(second.value)
    return "b" not in str(mode)


def test_text_has_a_named_encoding():
    found = {(path.name, ast.unparse(call)) for path in SOURCES for call in calls(path) if names_no_encoding(call)}
    assert len(SOURCES) > 100 and found == {("separated.py", "file.open()")}  # a `TextFile` knows its encoding


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open('x')", True),
        ("open('x', 'rb')", False),
        ("open('x', mode='wb')", False),
        ("open('x', encoding='utf-8')", False),
        ("path.open()", True),
        ("path.open('w')", True),
        ("path.open('r+')", True),
        ("path.open(mode='a', newline='')", True),
        ("path.open('wb')", False),
        ("path.open('w', encoding='utf-8')", False),
        ("archive.open('notes.txt')", False),
        ("archive.open(name, 'r')", False),
        ("gzip.open(path)", False),
        ("gzip.open(path, 'rt')", True),
        ("gzip.open(path, mode='rt')", True),
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(story)", True),
        ("path.write_text(story, newline='')", True),
        ("path.write_text(story, 'utf-8')", False),
        ("write_text(story, tables)", False),
        ("subprocess.run(c, text=True)", True),
        ("subprocess.run(c)", False),
    ],
)
def test_a_missing_encoding_is_found(code, found):
    assert names_no_encoding(ast.parse(code).body[0].value) == found


UNIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty", "syslog"}
UNIX_CALLS = {"fork", "geteuid", "getuid", "mkfifo", "setsid", "sched_getaffinity", "killpg", "symlink", "symlink_to"}
UNIX_SIGNALS = {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE"}


def only_unix_has(code):
    """Modules, calls and signals in ``code`` that Windows lacks."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return (imported & UNIX_ONLY) | (names & (UNIX_CALLS | UNIX_SIGNALS))


def test_nothing_is_asked_for_that_only_unix_has():
    found = {path.name: only_unix_has(path.read_text(encoding="utf-8")) for path in LIBRARY}
    assert {name: what for name, what in found.items() if what} == {}
    assert only_unix_has("import fcntl\nos.fork()\nsignal.SIGHUP") == {"fcntl", "fork", "SIGHUP"}


def test_csv_files_are_opened_without_translating_newlines():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if "csv.writer(file" in text or "csv.reader(file" in text:
            assert 'newline=""' in text, path


def test_processes_are_started_as_every_platform_can():
    text = {path: path.read_text(encoding="utf-8") for path in SOURCES}
    contexts = [part for body in text.values() for part in body.split("get_context(")[1:]]
    assert contexts and all(part.startswith('"spawn")') for part in contexts)
    assert not [path for path, body in text.items() if "multiprocessing.Pool(" in body or "ForkingPickler" in body]


def test_names_of_shipped_files_fit_every_file_system():
    command = ["git", "ls-files"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    if done.returncode:
        pytest.skip("not a checkout")
    names = done.stdout.splitlines()
    assert len({name.casefold() for name in names}) == len(names)
    reserved = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
    parts = {part for name in names for part in name.split("/")}
    assert not {part for part in parts if part.split(".")[0].lower() in reserved or part[-1] in ". "}
    assert not {part for part in parts if set(part) & set('<>:"\\|?*')} and max(map(len, names)) < 120


def test_every_file_has_the_same_bytes_in_every_checkout():
    done = subprocess.run(["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, encoding="utf-8")
    if done.returncode:
        pytest.skip("not a checkout")
    for line in done.stdout.splitlines():
        how, _, path = line.partition("\t")
        stored, _, *attributes = how.split()
        if path.endswith((".safetensors", ".png")):
            assert (stored, attributes) == ("i/-text", ["attr/-text"]), path
        else:
            assert stored in ("i/lf", "i/none") and attributes == ["attr/text=auto", "eol=lf"], path


def test_a_checkout_on_windows_keeps_the_hashes_of_an_adapter(tmp_path):
    name = Path("data", "adapters", "tiny")
    shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=true", "-c", "core.safecrlf=false"]  # as its installer sets
    for command in (["init", "--quiet"], ["add", "."], ["checkout-index", "--all", "--prefix=windows/"]):
        subprocess.run([*git, *command], check=True)
    assert checked(tmp_path / "windows" / name).files


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's list of mapped files")
def test_nothing_is_mapped_any_more_when_an_export_is_moved_into_place(finetuned, tmp_path, monkeypatch):
    """Windows moves no folder while a file in it is mapped into memory."""
    from pricelab.export import export

    held = []
    rename = Path.rename

    def looking(path, target):
        held.append(
            [line for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines() if str(path) in line]
        )
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", looking)
    export(finetuned["lora"].folder, tmp_path / "merged", ["a steel garlic press"])
    assert held == [[]]
