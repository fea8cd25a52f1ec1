"""The options of the command line that say how to train, and what they choose of a `Recipe`.

`cli` shares them between `finetune` and `sweep`; the defaults themselves are `finetuning.default_recipe`'s.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

TRAINING, ADAPTER, WATCHING = "How long and how fast", "The adapter (methods lora and qlora)", "Watching the run"


def _option(text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, **more)


Method = Annotated[Literal["qlora", "lora", "full"], typer.Option(help="How to adapt the base.")]
Minutes = Annotated[
    float | None, _option("Train so long at most, and keep the best point. Default: no limit but the passes.", TRAINING)
]
Epochs = Annotated[
    float | None,
    _option("Passes over the training items. Default: as many as this machine's profile affords, 1 to 3.", TRAINING),
]
Batch = Annotated[
    int | None, _option("Items per optimizer step. Default: the profile's, 4 on a laptop.", TRAINING, "--batch")
]
LearningRate = Annotated[
    float | None,
    _option("Its peak; warm-up before, cosine decay after. Default: 0.001, and 0.0001 for full.", TRAINING),
]
Compile = Annotated[
    bool, _option("Compile the layers with torch.compile; takes a C++ compiler. Default: no.", TRAINING, "--compile")
]
Rank = Annotated[int | None, _option("Rank r of the LoRA matrices. Default: 8.", ADAPTER)]
Alpha = Annotated[int | None, _option("LoRA's scale is alpha / rank. Default: twice the rank.", ADAPTER)]
Dropout = Annotated[
    float | None, _option("Share of the adapter's inputs set to 0 in training. Default: none.", ADAPTER)
]
Targets = Annotated[
    str | None,
    _option(
        "Layers that get an adapter: all-linear, attention, or names such as q_proj,v_proj. Default: all-linear.",
        ADAPTER,
    ),
]
RsLora = Annotated[bool, _option("Scale by alpha / √rank, for high ranks. Default: no.", ADAPTER, "--rslora")]
Dora = Annotated[bool, _option("Learn length and direction of the weights apart. Default: no.", ADAPTER, "--dora")]
Blend = Annotated[
    bool,
    _option(
        "Beside the adapter's digits, learn a read-out of the frozen base blended with a ridge on words; the one that "
        "errs less on held-out items answers. Default: yes, except for full.",
        TRAINING, "--blend/--no-blend",
    ),
]  # fmt: skip
EarlyStopping = Annotated[
    bool,
    _option(
        "Watch the loss on validation items (of a file: a tenth of the training texts, then not trained on), stop when "
        "it no longer falls and keep the best weights. Default: no.",
        WATCHING, "--early-stopping",
    ),
]  # fmt: skip
Patience = Annotated[
    int | None,
    _option("Stop after so many evaluations without a gain; implies --early-stopping. Default: 3.", WATCHING),
]
ReportTo = Annotated[
    list[str] | None,
    _option(
        "Report losses and settings to an experiment tracker: tensorboard, wandb, trackio, mlflow, … Repeatable. "
        "Default: nothing is sent anywhere.",
        WATCHING, metavar="TRACKER",
    ),
]  # fmt: skip


def chosen(method: str, report_to: Sequence[str] | None, **options: Any) -> dict[str, Any]:
    """The settings that were given, by their names in a `Recipe`; what was left out stays the default's.

    Raises:
        ValueError: values or trackers that can't be used, so that nothing is loaded for them.
    """
    from pricelab.choices import check_choices
    from pricelab.recipe import Recipe, target_names
    from pricelab.trackers import check_trackers

    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if "targets" in given:
        given["targets"] = target_names(given["targets"])
    check_choices(given, method)
    Recipe(**given)
    if report_to:
        check_trackers(report_to)
    return given
