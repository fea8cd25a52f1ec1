"""Hooks of the site (`mkdocs.yml`): every page keeps its place in the repository, so that one link works in both.

They bring in the README, the notebooks and the data cards, write the reference from `LAYERS`, set formulas as MathML,
so that no page loads anything from elsewhere, and lead links to source files to the reference.
"""

import ast
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = (
    "*.md",
    "notebooks/*.ipynb",
    "data/**/*.md",
    "docs/**/*.md",
    "docs/**/*.png",
    "docs/*.css",
    "docs/vllm_prices.py",
)
# The layers of the design, in reading order; `*` stands for the modules of a folder.
LAYERS = {
    "What goes in": """profiles catalog items prompt price_format bases base_files
        smollm2 examples tables separated text_files row_stream
        columns prices price_column currencies report audit findings text_faults near_duplicates edits amazon
        amazon_rules hub_stream general pretrain workshop/*""",
    "What learns": """recipe choices finetuning training price_trainer backbone adapters artifacts card checkpoints
        run_folder saving progress interruption stopping divergence splitting room quantised compiling outlook
        processes sharing fsdp trackers sweeping sweep_journal sweep_report""",
    "What answers": """pricer estimates decoding intervals read_outs blend probe states scope why batch answer_journal
        many_workers ray_session export""",
    "What judges": """evaluation scores bootstrap breakdown comparison coverage power baselines/* choosing verdict
        leaderboard costs/* ways trials kept_trials forgetting mishaps swaps privacy monitoring decision/*""",
    "What teaches": "by_hand/* checks claims predictions exercises/* scorebook needs plots/*",
    "Leaves": """widgets/* serving/* cli cli_app cli_kit cli_options cli_pricing cli_serving cli_training app app_page
        doctor platforms hazards installed notebooks kernels normalise run_findings run_report colab stamp kit
        kit_install __main__""",
    "What all use": "__init__ files stored disk heap show quieting",
}
HIDDEN = re.compile(r"/notebook_\d\d$|__main__$")  # answers of exercises, and what holds no names
READING = "docs/reading.md"
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)
REMOTE_PICTURE = re.compile(r'<img\b[^>]*\bsrc="(?:https?:)?//[^>]*>')
SOURCE_LINK = re.compile(r"\]\((?:\.\./)*(pricelab/[\w/]+\.py)\)")


# ---- the layers


def modules() -> list[str]:
    """Every module of the library: ``pricer``, ``widgets/cards``, ``costs/__init__``, …"""
    folder = ROOT / "pricelab"
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py"))


def by_layer() -> dict[str, list[str]]:
    """Modules by layer, in reading order; one that `LAYERS` doesn't know comes under ""."""
    known, found = modules(), {}
    for layer, names in LAYERS.items():
        listed = [n for name in names.split() for n in ([name] if "*" not in name else _within(name[:-1], known))]
        found[layer] = [name for name in listed if name in known]
    placed = {name for names in found.values() for name in names}
    return {**found, "": [name for name in known if name not in placed]}


def _within(folder: str, known: list[str]) -> list[str]:
    return sorted(
        (name for name in known if name.startswith(folder)), key=lambda name: (not name.endswith("__init__"), name)
    )


def dotted(module: str) -> str:
    """The module's name as Python imports it."""
    return (
        "pricelab." + module.removesuffix("__init__").strip("/").replace("/", ".")
        if module != "__init__"
        else "pricelab"
    )


def promise(module: str) -> str:
    """The first line of a module's docstring: what it does."""
    text = (ROOT / "pricelab" / f"{module}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")


def page_of(layer: str) -> str:
    """A layer's page in the reference."""
    return f"reference/{layer.lower().replace(' ', '-')}.md"


def reference() -> dict[str, str]:
    """The reference's pages: the public names, and the modules of each layer."""
    from pricelab import _HOME

    names = [f"::: pricelab.{home}.{name}\n" for name, home in _HOME.items() if home not in ("widgets", "evaluation")]
    names += ["::: pricelab.widgets.predictor.PricePredictor\n", "::: pricelab.evaluation.evaluate\n"]
    intro = "# Reference\n\nThe public names; what else there is stands in its layer's page.\n\n"
    pages = {"reference/index.md": intro + "\n".join(names)}
    for layer, found in by_layer().items():
        shown = [name for name in found if not HIDDEN.search(name)]
        if layer:
            pages[page_of(layer)] = f"# {layer}\n\n" + "\n".join(f"::: {dotted(name)}\n" for name in shown)
    return pages


def module_table() -> str:
    """All modules by layer, with what each promises, as Markdown."""
    parts = []
    for layer, found in by_layer().items():
        if layer:
            link = f"../{page_of(layer)}"
            rows = [f"| `{dotted(name)}` | {promise(name).replace('|', chr(92) + '|')} |" for name in found]
            parts += [
                f"### {layer}",
                f"[Reference]({link})",
                "\n".join(["| module | what it does |", "|---|---|", *rows]),
            ]
    return "\n\n".join(parts)


# ---- what mkdocs calls


def navigation() -> list[Any]:
    """The site's sections; pages of ``docs/`` that none of them names stand under "In depth"."""
    places = [path.relative_to(ROOT).as_posix() for pattern in PAGES[:4] for path in sorted(ROOT.glob(pattern))]
    notebooks, workshop, data, serving = (
        [place for place in places if place.startswith(start)]
        for start in ("notebooks/", "docs/workshop/", "data/", "docs/serving")
    )
    depth = [place for place in places if place.startswith("docs/") and place not in (*workshop, *serving, READING)]
    workshop.sort(key=lambda place: not place.endswith("README.md"))
    pages = [{"Public names": "reference/index.md"}, *({layer: page_of(layer)} for layer in LAYERS)]
    return [
        {"Home": "README.md"},
        {"Notebooks": [{_title(place): place} for place in notebooks]},
        {"Workshop": workshop},
        {"In depth": [*depth, {"Serving": serving}]},
        {"Data": [{card.split("/")[1].replace("-", " "): card} for card in data]},
        {"Code": ["CONTRIBUTING.md", READING, {"Reference": pages}, "CHANGELOG.md", "SECURITY.md"]},
    ]


def _title(notebook: str) -> str:
    cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    return next(line[2:] for line in text.splitlines() if line.startswith("# "))


@event_priority(100)
def on_config(config: Any) -> Any:
    """Set the navigation."""
    config["nav"] = navigation()
    return config


@event_priority(100)  # before the plugin that turns notebooks into pages
def on_files(files: Files, config: Any) -> Files:
    """Every page and picture at its place in the repository, the theme's own files as they are."""
    kept = [file for file in files if not Path(file.abs_src_path or "").is_relative_to(ROOT / "docs")]
    paths = sorted({path for pattern in PAGES for path in ROOT.glob(pattern)})
    own = [
        File(path.relative_to(ROOT).as_posix(), str(ROOT), config["site_dir"], config["use_directory_urls"])
        for path in paths
    ]
    made = [File.generated(config, place, content=text) for place, text in reference().items()]
    return Files([*kept, *own, *made])


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Source files are shown in the reference; the reading page gets the table of all modules."""
    if page.file.src_uri == READING:
        markdown = markdown.replace("<!-- modules -->", module_table())
    up = "../" * page.file.src_uri.count("/")
    return SOURCE_LINK.sub(lambda match: f"]({_in_reference(match[1], up)})", markdown)


def _in_reference(path: str, up: str) -> str:
    module = path.removeprefix("pricelab/").removesuffix(".py")
    layer = next(layer for layer, found in by_layer().items() if module in found)
    return f"{up}{page_of(layer)}#{dotted(module)}"


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Formulas become MathML, which every browser shows by itself."""
    pieces = re.split(r"(<(?:p|li|td|th|h\d)\b[^>]*>.*?</(?:p|li|td|th|h\d)>)", html, flags=re.DOTALL)
    return "".join(_with_formulas(piece) if place % 2 else piece for place, piece in enumerate(pieces))


def _with_formulas(paragraph: str) -> str:
    if paragraph.count("$") < 2 or "<pre" in paragraph:
        return paragraph
    code = re.compile(r"<code.*?</code>", re.DOTALL)
    spans = code.findall(paragraph)
    bare = code.sub("\0", paragraph)
    if bare.count("$") % 2 == 0:
        bare = FORMULA.sub(_mathml, bare)
    return re.sub("\0", lambda _: spans.pop(0), bare)


def _mathml(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    formula, display = (match[1], "block") if match[1] else (match[2], "inline")
    return convert(unescape(re.sub(r"</?em>", "_", formula)), display=display)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Leave out what a page would fetch from elsewhere: scripts, as the notebooks' template asks for mermaid, and
    pictures, as a stamped notebook's badge, whose link stays."""
    return re.sub(
        r"<script(?![^>]*application/json)[^>]*>(?:(?!</script>).)*?https://cdnjs.*?</script>",
        "",
        REMOTE_PICTURE.sub(_words_instead, output),
        flags=re.DOTALL,
    )


def _words_instead(picture: re.Match[str]) -> str:
    words = re.search(r'\balt="([^"]*)"', picture[0])
    return words[1] if words else ""
