"""The command line with a pricer and a trainer without a model: what is read, printed, written and refused."""

import csv
import json
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pricelab
from pricelab import batch, cli
from pricelab.baselines import ConstantPrice
from pricelab.baselines.rows import digests_of
from pricelab.estimates import PriceEstimate
from pricelab.price_format import WHOLE_DOLLARS

COMMANDS = ("doctor", "run", "catalog", "pretrain", "finetune", "sweep", "predict", "evaluate", "serve", "app")
NAN = float("nan")


@dataclass
class Facts:
    seed: int = 0
    data: dict = field(default_factory=lambda: {"fingerprint": "another", "median_price_usd": 20.0})

    def as_dict(self):
        return asdict(self)


class Ridge:
    name, known = "TF-IDF + ridge", np.empty(0, np.uint64)

    def predict(self, texts):
        return np.full(len(texts), 30.0)


class FakePricer:
    """Prices a text at its length in dollars, give or take half."""

    read_out, price_format = "digits", WHOLE_DOLLARS
    name = identity = "fake, qlora"
    constant = ConstantPrice(20.0)
    ridge = Ridge()

    def __init__(self):
        self.manifest = Facts()

    def estimate(self, descriptions, *, progress=False):
        if isinstance(descriptions, str):
            return self.estimate([descriptions])[0]
        return [self.one(text) for text in descriptions]

    def one(self, text):
        if not text.strip():
            return PriceEstimate(NAN, NAN, NAN, np.full(999, NAN), "the description is empty: nothing to price")
        dollars = float(len(text))
        return PriceEstimate(dollars, dollars / 2, dollars * 1.5, np.full(999, 1 / 999))


@pytest.fixture
def pricer(monkeypatch):
    """`Pricer.load` gives a fake; the folder it was asked for is in ``loaded``."""
    fake = FakePricer()
    fake.loaded = []
    loader = type("Loader", (), {"load": staticmethod(lambda folder: fake.loaded.append(folder) or fake)})
    monkeypatch.setitem(vars(pricelab), "Pricer", loader)
    return fake


@pytest.fixture
def command(capsys):
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            cli.main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return leaving.value.code or 0, told.out, told.err

    return run


def shop(path: Path, rows=40, **extra) -> Path:
    lines = [{"title": f"thing {n}", "description": "x" * n, "price": f"${n + 1}.00", **extra} for n in range(rows)]
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, lines[0])
            writer.writeheader()
            writer.writerows(lines)
    else:
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


# ---- every command


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_the_command_with_an_example(name, command):
    code, out, _ = command(name, "--help")
    assert code == 0 and name in out and "--help" in out
    assert "Example: pricelab" in out or name == "doctor"


def test_the_overview_lists_every_command(command):
    code, out, _ = command("--help")
    assert code == 0 and all(name in out for name in COMMANDS)


def test_the_version_and_python_m():
    shown = subprocess.run([sys.executable, "-m", "pricelab", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"pricelab {pricelab.__version__}"


@pytest.mark.parametrize("arguments", [("nonsense",), ("finetune",), ("predict", "run"), ("catalog", "--seed", "x")])
def test_a_wrong_command_line_leaves_with_2(arguments, command):
    assert command(*arguments)[0] == 2


@pytest.mark.parametrize(
    "raised, code",
    [(ValueError("told so"), 2), (FileNotFoundError("told so"), 2), (ConnectionError("told so"), 1)],
)
def test_errors_are_one_line_without_a_traceback(raised, code, command, monkeypatch):
    def fail(*_):
        raise raised

    monkeypatch.setattr("pricelab.workshop.generate", fail)
    assert command("catalog", "--out", "x") == (code, "", "error: told so\n")


def test_an_unexpected_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("pricelab.workshop.generate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["catalog", "--out", "x"])


def test_ctrl_c_leaves_with_130(command, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pricelab.workshop.generate", interrupt)
    assert command("catalog", "--out", "x")[0] == 130


# ---- predict


def test_predict_prints_an_estimate_with_its_interval(command, pricer):
    code, out, _ = command("predict", "runs/shop", "a red chair")
    assert (code, out) == (0, "$11 (80 % interval $5.50 to $16)\n")
    assert pricer.loaded == [Path("runs/shop")]


def test_predict_as_json(command, pricer):
    out = json.loads(command("predict", "run", "a red chair", "--json")[1])
    assert out == {"estimate": 11.0, "low": 5.5, "high": 16.5, "warning": None, "unread": 0.0}


def test_an_empty_description_is_an_error_not_a_price(command, pricer):
    code, out, error = command("predict", "run", "  ")
    assert (code, out) == (2, "") and "nothing to price" in error


@pytest.mark.parametrize("out", [[], ["--out", "out.csv"]])
@pytest.mark.parametrize(
    "what",
    ["missing.csv", "folder/missing.jsonl", "MISSING.CSV", "my missing.csv", "missing.csv.gz", "./data/missing.xls"],
)
def test_a_missing_file_is_not_taken_for_a_description(what, out, command, pricer):
    code, _, error = command("predict", "run", what, *out)
    assert code == 2 and f"there is no file {what}" in error and not pricer.loaded


def test_a_folder_is_not_taken_for_a_description(command, pricer, tmp_path):
    code, _, error = command("predict", "run", tmp_path)
    assert code == 2 and f"{tmp_path} is a folder; give a file in it" in error and not pricer.loaded


@pytest.mark.parametrize("what", ["a cable, see manual.csv.", "x" * 5000, "chair 3.5", "a\0b", ""])
def test_these_are_descriptions(what):
    assert batch.as_file(what) is None


def test_predict_keeps_rows_and_columns_of_a_csv(command, pricer, tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('sku,description,note\n007,"a, b",1.50\n008,,"say ""x"""\n', encoding="utf-8-sig")
    assert command("predict", "run", source, "--out", out)[:2] == (0, f"wrote 2 rows to {out}\n")
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["sku", "description", "note", "estimate", "low", "high", "warning"]
    assert rows[1] == ["007", "a, b", "1.50", "4.0", "2.0", "6.0", ""]
    assert rows[2][:6] == ["008", "", 'say "x"', "", "", ""] and "nothing to price" in rows[2][6]


def test_predict_keeps_json_lines_to_the_digit(command, pricer, tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        '{"text": "chair\u2028é", "n": 1.10}\n\n{"text": "", "list": [1, {"a": null}]}\n', encoding="utf-8"
    )
    assert command("predict", "run", source, "--out", out)[0] == 0
    first, second = out.read_text(encoding="utf-8").split("\n")[:2]
    assert first.startswith('{"text": "chair\u2028é", "n": 1.10, "estimate": 7.0')
    assert json.loads(second)["list"] == [1, {"a": None}] and json.loads(second)["estimate"] is None


@pytest.mark.parametrize(("name", "mark"), [("in.tsv", "\t"), ("in.csv", ";")])
def test_predict_keeps_the_separator(command, pricer, tmp_path, name, mark):
    source, out = tmp_path / name, tmp_path / name.replace("in", "out")
    source.write_text(f'sku{mark}description{mark}preis\n007{mark}"a{mark} ""b"""{mark}1,50\n', encoding="utf-8")
    assert command("predict", "run", source, "--out", out)[0] == 0
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=mark))
    assert rows[0] == ["sku", "description", "preis", "estimate", "low", "high", "warning"]
    assert rows[1][:3] == ["007", f'a{mark} "b"', "1,50"] and float(rows[1][3]) > 0 and rows[1][6] == ""


def test_predict_keeps_the_types_of_parquet(command, pricer, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    table = pa.table({"id": [7, 8], "description": ["abc", None], "tags": [["a"], None]})
    pa.parquet.write_table(table, source)
    assert command("predict", "run", source, "--out", out)[0] == 0
    found = pa.parquet.read_table(out)
    assert found.select(["id", "description", "tags"]).equals(table)
    assert found["estimate"].to_pylist() == [3.0, None] and "nothing to price" in found["warning"].to_pylist()[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_predict_overwrites_only_when_told(command, pricer, tmp_path):
    source, out = shop(tmp_path / "in.csv", 3), tmp_path / "out.csv"
    out.write_text("mine")
    code, _, error = command("predict", "run", source, "--out", out)
    assert code == 2 and "--overwrite" in error and out.read_text() == "mine" and not pricer.loaded
    assert command("predict", "run", source, "--out", out, "--overwrite")[0] == 0
    assert out.read_text().count("\n") == 4


def test_predict_refuses_its_own_column_names(command, pricer, tmp_path):
    source = shop(tmp_path / "in.csv", 3, low="1", warning="")
    code, _, error = command("predict", "run", source, "--out", tmp_path / "out.csv")
    assert code == 2 and "low, warning" in error and not (tmp_path / "out.csv").exists()


def test_predict_refuses_a_change_of_format_and_a_lonely_out(command, pricer, tmp_path):
    source = shop(tmp_path / "in.csv", 3)
    for name in ("out.jsonl", "out.tsv", "out.parquet"):
        assert "differ in format" in command("predict", "run", source, "--out", tmp_path / name)[2]
    for name in ("out.xlsx", "out.csv.gz", "OUT.ZIP"):
        assert "would be a packed file" in command("predict", "run", source, "--out", tmp_path / name)[2]
    assert "add --out FILE" in command("predict", "run", source)[2]
    assert "there is no file a chair; " in command("predict", "run", "a chair", "--out", tmp_path / "out.csv")[2]


def test_predict_says_how_far_it_came_when_interrupted(command, pricer, tmp_path, monkeypatch):
    source, out = shop(tmp_path / "in.csv", 3), tmp_path / "out.csv"

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pricer, "estimate", interrupt, raising=False)
        code, _, error = command("predict", "run", source, "--out", out)
    assert code == 130 and "interrupted after 0 of 3 rows; the same command goes on" in error and not out.exists()
    assert command("predict", "run", source, "--out", out)[0] == 0


def test_predict_takes_named_columns(command, pricer, tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("body,other\nabcd,x\n")
    assert command("predict", "run", source, "--out", out)[0] == 2
    assert command("predict", "run", source, "--out", out, "--column", "description=body")[0] == 0
    assert out.read_text().splitlines()[1] == "abcd,x,4.0,2.0,6.0,"
    assert "ROLE=NAME" in command("predict", "run", source, "--out", out, "--column", "body", "--overwrite")[2]


cells = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_any_csv_comes_back_with_its_cells(tmp_path, rows):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    with open(source, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("description", "other"), *rows])
    batch.predict_file(FakePricer(), source, out, overwrite=True)
    with open(out, newline="", encoding="utf-8") as file:
        assert [tuple(row[:2]) for row in csv.reader(file)][1:] == rows


# ---- evaluate


def test_evaluate_sets_the_model_beside_the_constant_and_the_ridge(command, pricer, tmp_path):
    code, out, error = command("evaluate", "run", shop(tmp_path / "shop.csv", 12))
    assert code == 0 and "12 rows read, 12 kept" in error
    assert all(name in out for name in ("fake, qlora", "constant", "TF-IDF + ridge", "Saved against"))
    assert "never seen" not in error


def test_evaluate_refuses_another_currency_and_reads_what_it_is_told(command, pricer, tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("text;price\n" + "".join(f"thing {n};1.{n} €\n" for n in range(100, 130)), encoding="utf-8")
    code, _, error = command("evaluate", "run", path)
    assert code == 2 and "--decimal ." in error
    code, _, error = command("evaluate", "run", path, "--decimal", ".")
    assert code == 2 and "is in EUR, but the predictor answers in US dollars" in error
    path.write_text(path.read_text(encoding="utf-8") + "last;$12.50\n", encoding="utf-8")
    code, out, error = command("evaluate", "run", path, "--decimal", ".", "--currency", "USD")
    assert code == 0 and "30 × price in EUR, not USD" in error and "31 rows read, 1 kept" in error


def test_evaluate_as_json_scores_every_usable_row(command, pricer, tmp_path):
    path = shop(tmp_path / "shop.jsonl", 41)
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"title": "free", "description": "y", "price": "call us"}\n')
    _, out, error = command("evaluate", "run", path, "--json")
    found = json.loads(out)
    assert [score["n"] for score in found["scores"]] == [41, 41, 41]
    expected = [abs(len(f"thing {n}\n{'x' * n}".strip()) - (n + 1)) for n in range(41)]
    assert found["scores"][0]["mae"]["value"] == pytest.approx(np.mean(expected))
    assert found["saved"]["TF-IDF + ridge"]["n"] == 41 and found["floor_usd"] is None
    assert "no price" in error


def test_evaluate_scores_only_the_rows_that_the_model_has_not_seen(command, pricer, tmp_path):
    path = shop(tmp_path / "shop.csv", 50)
    catalog = pricelab.load_catalog(path)
    known = digests_of([item.text for split in ("train", "calibration") for item in catalog[split]])
    _, out, error = command("evaluate", "run", path, "--json")
    assert "doesn't know its texts again" in error and json.loads(out)["scores"][0]["n"] == 50
    pricer.ridge = Ridge()
    pricer.ridge.known = known
    _, out, error = command("evaluate", "run", path, "--json")
    assert "never seen are scored" in error
    assert json.loads(out)["scores"][0]["n"] == len(catalog["test"]) < 50


# ---- finetune, run, doctor


@pytest.fixture
def trainer(monkeypatch):
    """`finetune` without training; its arguments are kept."""
    asked = {}

    @dataclass
    class Run:
        folder: Path
        manifest: Facts
        stopped: str = ""

    def fake(catalog, out, **options):
        asked.update(options, catalog=catalog, out=out)
        return Run(out, Facts())

    monkeypatch.setitem(vars(pricelab), "finetune", fake)
    return asked


def test_finetune_passes_everything_on_and_reports(command, trainer, pricer, tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("body,cost\n" + "".join(f"thing {n},{n + 1}\n" for n in range(40)) + "odd,call us\n")
    options = ("--base", "tiny", "--method", "lora", "--seed", "3", "--column", "description=body", "--overwrite")
    code, out, error = command("finetune", path, "--out", tmp_path / "run", *options)
    assert code == 0 and f"The predictor is in {tmp_path / 'run'}." in out
    assert "which it never saw" in out and "Saved against TF-IDF + ridge" in out
    assert "41 rows read, 40 kept" in error and "call us" in error
    assert sum(map(len, trainer.pop("catalog").splits.values())) == 40
    expected = {"out": tmp_path / "run", "base": "tiny", "method": "lora", "seed": 3, "overwrite": True}
    expected |= {"minutes": None, "choices": {}, "report_to": (), "blend": True}
    assert trainer == expected


def test_finetune_as_json_prints_the_manifest_and_the_test_scores(command, trainer, pricer, tmp_path):
    out = command("finetune", shop(tmp_path / "shop.csv"), "--out", tmp_path / "run", "--json")[1]
    found = json.loads(out)
    assert found["manifest"]["seed"] == 0 and found["test"]["scores"]
    assert trainer["method"] == "qlora" and trainer["base"] is None


def test_finetune_leaves_the_test_items_when_the_model_was_shared_out(command, trainer, tmp_path, monkeypatch):
    monkeypatch.setattr("pricelab.processes.sharded", lambda: True)
    asked = ("finetune", shop(tmp_path / "shop.csv"), "--out", tmp_path / "run")
    code, out, _ = command(*asked)
    assert code == 0 and out.startswith(f"The predictor is in {tmp_path / 'run'}.") and "pricelab evaluate" in out
    assert json.loads(command(*asked, "--json")[1])["test"] is None


def test_finetune_reads_tsv_with_a_decimal_mark_and_a_currency(command, trainer, pricer, tmp_path):
    path = tmp_path / "shop.tsv"
    path.write_text("text\tprice\n" + "".join(f"thing {n}\t$1.{n}\n" for n in range(100, 140)) + "odd\t3 €\n")
    code, _, error = command("finetune", path, "--out", tmp_path / "run", "--decimal", ".", "--currency", "USD")
    assert code == 0 and "1 × price in EUR, not USD" in error
    assert trainer["catalog"]["test"][0].price < 2


@pytest.mark.parametrize(("told", "rows"), [((), 38), (("--price-range", "0.2", "5000"), 40)])
def test_finetune_and_evaluate_keep_the_prices_that_they_are_told_to(told, rows, command, trainer, pricer, tmp_path):
    path = tmp_path / "shop.csv"
    prices = [*range(1, 39), 0.25, 2499]
    path.write_text("text,price\n" + "".join(f"thing {n},{price}\n" for n, price in enumerate(prices)))
    code, _, error = command("finetune", path, "--out", tmp_path / "run", *told)
    assert code == 0 and f"40 rows read, {rows} kept" in error
    assert ("--price-range LOW HIGH" in error) == (not told)
    assert sum(map(len, trainer["catalog"].splits.values())) == rows
    assert f"40 rows read, {rows} kept" in command("evaluate", "run", path, *told)[2]


@pytest.mark.parametrize("extra", [("--method", "magic"), ("--column", "nothing"), ("--column", "colour=red")])
def test_finetune_refuses_what_it_does_not_know(extra, command, trainer, tmp_path):
    code, _, error = command("finetune", shop(tmp_path / "shop.csv"), "--out", tmp_path / "run", *extra)
    assert code == 2 and error and not trainer


def test_finetune_passes_on_only_what_was_chosen(command, trainer, pricer, tmp_path):
    options = ("--rank", "16", "--dropout", "0.1", "--targets", "attention", "--dora", "--batch", "2")
    options += ("--learning-rate", "0.002", "--epochs", "1.5")
    assert command("finetune", shop(tmp_path / "shop.csv"), "--out", tmp_path / "run", *options)[0] == 0
    assert trainer["choices"] == {
        "rank": 16, "dropout": 0.1, "targets": ("q_proj", "k_proj", "v_proj", "o_proj"), "dora": True,
        "batch_size": 2, "learning_rate": 0.002, "epochs": 1.5,
    }  # fmt: skip
    assert "validation" not in trainer and trainer["report_to"] == ()


@pytest.mark.parametrize("options", [("--early-stopping",), ("--patience", "5"), ("--minutes", "5")])
def test_finetune_stops_early_on_validation_items_of_its_own(options, command, trainer, pricer, tmp_path):
    assert command("finetune", shop(tmp_path / "shop.csv", 200), "--out", tmp_path / "run", *options)[0] == 0
    assert len(trainer["validation"]) == 16 and set(trainer["validation"]) < set(trainer["catalog"]["train"])
    assert trainer["choices"].get("patience") == (5 if "--patience" in options else None)
    assert trainer["choices"]["evaluate_every"] >= 10


@pytest.mark.parametrize(
    "options, words",
    [
        (("--rank", "0"), "rank must be more than 0"),
        (("--dropout", "1"), "dropout is a share"),
        (("--targets", ","), "targets name no layer"),
        (("--method", "full", "--rank", "4"), "full fine-tuning has none"),
        (("--report-to", "papyrus"), "unknown tracker papyrus"),
        (("--report-to", "clearml"), "pip install clearml"),
    ],
)
def test_finetune_refuses_options_before_it_reads_anything(options, words, command, trainer, tmp_path):
    code, _, error = command("finetune", tmp_path / "not-read.csv", "--out", tmp_path / "run", *options)
    assert code == 2 and words in error and not trainer


def test_sweep_passes_on_what_it_was_told_and_prints_the_report(command, monkeypatch, tmp_path):
    asked = {}

    class Report:
        def to_dict(self):
            return {"trials": []}

        def __str__(self):
            return "the table"

    monkeypatch.setitem(
        vars(pricelab), "sweep", lambda *given, **options: asked.update(options, given=given) or Report()
    )
    options = ("sweep", shop(tmp_path / "shop.csv"), "--out", tmp_path / "sweep", "--trials", "3", "--method", "full")
    assert command(*options)[:2] == (0, "\nthe table\n")
    assert asked["trials"] == 3 and asked["method"] == "full" and asked["minutes"] is None and asked["progress"]
    assert asked["given"][1] == tmp_path / "sweep" and len(asked["given"][0]["test"]) == 4
    assert json.loads(command(*options, "--minutes", "2", "--json")[1]) == {"trials": []}
    assert asked["minutes"] == 2 and not asked["progress"]


def test_an_interrupted_sweep_says_how_to_go_on(command, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt("the same command goes on")

    monkeypatch.setitem(vars(pricelab), "sweep", interrupt)
    code, _, error = command("sweep", shop(tmp_path / "shop.csv"), "--out", tmp_path / "sweep")
    assert code == 130 and error.endswith("the same command goes on\n")


def test_run_leaves_with_1_when_a_notebook_failed(command, monkeypatch, tmp_path):
    from test_notebooks_tool import saved

    monkeypatch.setenv("PRICELAB_PROFILE", "laptop")
    good, bad = saved(tmp_path / "good.ipynb", "print(1)"), saved(tmp_path / "bad.ipynb", "1 / 0")
    out = ("--profile", "smoke", "--out", tmp_path / "out")
    code, told, _ = command("run", good, *out)
    assert code == 0 and "profile smoke" in told and "1 of 1 notebooks passed" in told
    found = json.loads(command("run", good, *out, "--json")[1])
    assert [row["notebook"] for row in found["notebooks"]] == ["good.ipynb"] and found["leaderboard"] == []
    code, told, _ = command("run", bad, good, *out)
    assert code == 1 and "ZeroDivisionError" in told and "1 of 2 notebooks passed" in told
    report = tmp_path / "out" / "report.html"
    assert f"the report is {report}" in told and "ZeroDivisionError" in report.read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [("nothing.ipynb",), ("--profile", "huge")])
def test_run_refuses_unknown_notebooks_and_profiles(arguments, command):
    code, _, error = command("run", *arguments)
    assert code == 2 and error.startswith("error: ")


def test_doctor_leaves_with_1_when_there_is_a_problem(command, monkeypatch):
    from pricelab import doctor

    fine = doctor.Report((doctor.Check("Python", "3.11"),))
    monkeypatch.setattr(doctor, "examine", lambda name_cache: fine)
    assert command("doctor")[:2] == (0, "  Python  3.11\n\nThis machine will do.\n")
    broken = doctor.Report((*fine.checks, doctor.Check("torch", "missing", "pip install torch")))
    monkeypatch.setattr(doctor, "examine", lambda name_cache: broken)
    code, out, _ = command("doctor", "--json")
    assert code == 1 and json.loads(out)["problems"] == 1
    told = json.loads(out)["checks"][1]
    assert told == {"name": "torch", "value": "missing", "cure": "pip install torch", "note": "", "package": False}
