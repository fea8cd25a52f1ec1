"""The widgets' unit tests again with ipywidgets 7.7.1, which Colab carries, in an environment of its own in the cache.

The environment holds that one release; everything else comes from the environment that runs the tests.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = "7.7.1"
WIDGET_TESTS = sorted(path.name for path in (ROOT / "tests").glob("test_widget*.py"))
pytestmark = [pytest.mark.slow, pytest.mark.weights]  # weights: the environment stays in the machine's cache


def environment() -> Path:
    """The Python of an environment with ipywidgets 7.7.1, made once."""
    from pricelab.files import cache_dir

    folder = cache_dir() / f"ipywidgets-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        own = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*install, "--target", own, f"ipywidgets=={VERSION}", "ipython_genutils==0.2.0"],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            told = done.stderr.strip().splitlines()[-1:]
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"ipywidgets {VERSION} can't be installed: {told}")
        others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (Path(own) / "others.pth").write_text("\n".join(others) + "\n")  # looked through after its own packages
        (folder / "ready").touch()
    return python


@pytest.fixture(scope="module")
def run():
    """Run this environment's Python in the repository; (exit code, what it printed)."""
    python = environment()

    def run(*arguments):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONNOUSERSITE": "1"}
        done = subprocess.run(
            [python, *arguments], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=280
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_environment_holds_that_release(run):
    code, said = run("-c", "import ipywidgets, numpy; print(ipywidgets.__version__)")
    assert code == 0 and said.strip() == VERSION


def test_the_widgets_pass_their_unit_tests(run):
    assert len(WIDGET_TESTS) >= 3
    code, said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{name}" for name in WIDGET_TESTS))
    assert code == 0 and " passed" in said, said[-4000:]
