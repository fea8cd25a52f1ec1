"""The bodies of requests and answers, typed: what `app` reads and writes and the OpenAPI document says of them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from pricelab.batch import answer_of as in_columns
from pricelab.serving.settings import Limits

EXAMPLE = "Cordless drill, 18 V, two batteries, carry case"


class Answer(BaseModel):
    """What the predictor says about one description."""

    estimate: float | None = Field(description="US dollars: the median; null when there is none, see warning")
    low: float | None = Field(description="US dollars: lower end of the 80 % interval")
    high: float | None = Field(description="US dollars: upper end of the 80 % interval")
    warning: str | None = Field(description="what to know before trusting the number; says why there is none")


class Answers(BaseModel):
    """One answer for each description, in their order."""

    answers: list[Answer]


class Problem(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    request_id: str = Field(description="also in the header X-Request-ID and in the server's log")


class Health(BaseModel):
    """The process is alive."""

    status: str


class Readiness(BaseModel):
    """The predictor is loaded and warmed up."""

    status: str
    model: str
    adapter_sha256: str | None = Field(description="of the adapter's weights, from the manifest")
    start_seconds: dict[str, float] = Field(description="what each part of the start took")
    max_queue: int = Field(description="texts that may wait: what the model, as fast as it warmed up, answers in time")


def request_bodies(limits: Limits) -> tuple[type[BaseModel], type[BaseModel]]:
    """The bodies of one and of many, with the limits in their schema."""
    text: Any = Annotated[
        str, Field(max_length=limits.max_text_chars, description="the product, in words", examples=[EXAMPLE])
    ]
    texts: Any = Annotated[list[text], Field(min_length=1, max_length=limits.max_items)]
    config = ConfigDict(extra="forbid", strict=True)
    one = create_model("Product", __config__=config, __doc__="One product to price.", description=(text, ...))
    many = create_model("Products", __config__=config, __doc__="Products to price.", descriptions=(texts, ...))
    return one, many


def answer_of(estimate: Any) -> Answer:
    """A `PriceEstimate` as it is sent: cents, and null instead of NaN, which JSON doesn't have.

    In its place may be what the model raised, whose message may quote the text: only its type is told.
    """
    if isinstance(estimate, Exception):
        words = f"could not be priced ({type(estimate).__name__})"
        return Answer(estimate=None, low=None, high=None, warning=words)
    return Answer(**{**in_columns(estimate), "warning": estimate.warning})
