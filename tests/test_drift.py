"""Each library call that the notebooks make, and the private hooks of transformers, against the installed versions.

Runs in every environment (`make test`, `make test-colab`, `make test-latest`) and names the notebook and the call.
"""

import ast
import importlib.util
import inspect
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from drift import Calls
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LIBRARY = sorted(path for path in (ROOT / "pricelab").rglob("*.py") if "workshop" not in path.parts)
EXTRAS = {"ray", "optuna", "modal", "mkdocs", "voila", "fastapi", "fastapi_offline", "httpx", "pydantic", "uvicorn"}
ONLY_ON_COLAB = "No module named 'google.colab'"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_calls_of_a_notebook_fit_the_installed_libraries(path):
    calls, faults = Calls(), []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and cell.id != "set-up":
            known = len(calls.faults)
            calls.read(TransformerManager().transform_cell(cell.source))
            faults += [f"{path.name}, cell {cell.id}: {fault}" for fault in calls.faults[known:]]
    assert not faults, "\n".join(faults)
    assert calls.checked >= 10


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_librarys_own_calls_fit_the_installed_libraries(path):
    faults = faults_of(path.read_text(encoding="utf-8"))
    assert not faults, "\n".join(f"{path.name}: {fault}" for fault in faults)


def faults_of(source):
    """What doesn't fit; skips where a package isn't installed that only an extra brings and the source imports."""
    for name in sorted(imported(source) & EXTRAS):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")
    return [fault for fault in Calls().read(source).faults if ONLY_ON_COLAB not in fault]


def imported(source):
    """Names of the packages that are imported anywhere in it."""
    nodes = list(ast.walk(ast.parse(source)))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("name", ["colab", "app", "many_workers", "serving/modal_app", "sweep_journal"])
def test_a_module_that_needs_an_extra_is_looked_at_where_it_is_installed(name):
    source = (ROOT / "pricelab" / f"{name}.py").read_text(encoding="utf-8")
    spoilt = f"{source}\nimport numpy\nnumpy.no_such_function(1)\n"
    assert any("no_such_function" in fault for fault in faults_of(spoilt))


def test_only_the_extra_that_is_missing_itself_leads_to_a_skip(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(pytest.skip.Exception):
        faults_of("import optuna")
    (fault,) = faults_of("import no_such_library")
    assert "no_such_library" in fault
    assert faults_of("from ray import no_such_name"), "a package that is there is looked at"
    assert not faults_of("from google.colab import drive") and faults_of("from google.colaboratory import drive")


def hooks():
    """(class, method, the foreign class whose method it replaces or calls) for all classes of ours on foreign ones."""
    for path in LIBRARY:
        source = path.read_text(encoding="utf-8")
        if "super()._" not in source and "Trainer" not in source and "Callback" not in source:
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == module.__name__ and "transformers" in _origins(kind):
                for method in vars(kind).values():
                    if inspect.isfunction(method):
                        yield kind, method


def _origins(kind):
    return {base.__module__.partition(".")[0] for base in kind.__mro__}


def _theirs(kind, name):
    for base in kind.__mro__:
        if base.__module__.startswith("transformers") and name in vars(base):
            return vars(base)[name]
    return None


HOOKS = list(hooks())


@pytest.mark.parametrize(("kind", "method"), HOOKS, ids=[f"{kind.__name__}.{m.__name__}" for kind, m in HOOKS])
def test_hooks_of_transformers_are_still_there_and_called_as_we_take_them(kind, method):
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    called = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call) and getattr(node.func.value.func, "id", "") == "super"
    ]  # fmt: skip
    for node in called:
        name = node.func.attr
        assert hasattr(super(kind, kind), name), f"{kind.__name__} calls super().{name}, which is gone"
        assert name == "__init__" or callable(getattr(super(kind, kind), name))
    if theirs := _theirs(kind, method.__name__):
        if method.__name__ == "__init__":
            return
        ours = inspect.signature(method)
        required = [p for p in inspect.signature(theirs).parameters.values()
                    if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]  # fmt: skip
        ours.bind_partial(*[None] * len(required))


def test_the_private_hooks_are_among_those_looked_at():
    found = {method.__name__ for _, method in HOOKS}
    assert {"_run_epoch", "_clip_grad_norm", "_save_checkpoint", "_get_output_dir", "training_step"} <= found
    for kind, method in HOOKS:
        if method.__name__ in ("_run_epoch", "_clip_grad_norm", "_save_checkpoint", "_get_output_dir"):
            assert _theirs(kind, method.__name__), f"transformers' Trainer has no {method.__name__} any more"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (
            "from transformers import TrainingArguments\nTrainingArguments('x', evaluation_strategy='no')",
            "evaluation_strat",
        ),
        ("from peft import no_such_name", "no_such_name"),
        ("import peft\npeft.LoraConfig(rank=3)", "rank"),
        ("from pricelab import finetune\nfinetune()", "catalog"),
        ("from pricelab.training import Recipe\nr = Recipe()\nr.no_such_method()", "no_such_method"),
        ("from pricelab.training import Recipe\nRecipe(speed=1)", "speed"),
        ("import numpy as np\nnp.no_such_function(1)", "no_such_function"),
        ("import no_such_library", "no_such_library"),
    ],
)
def test_a_call_that_does_not_fit_is_found_with_its_words(source, fault):
    (found, *_) = Calls().read(source).faults
    assert fault in found


def test_what_fits_or_cannot_be_known_is_left_alone():
    source = """
import numpy as np
from pricelab.training import Recipe
recipe = Recipe(epochs=2)
recipe.as_dict()
def f(np):
    return np.anything(1)
"""
    assert not Calls().read(source).faults
