"""The HTTP interface: one price, many prices, health, readiness, and a page that documents them.

The predictor is loaded once, before the first request; texts of all callers go through one `MicroBatcher`. `guard` sees
each request first. Cross-origin requests are not allowed (no CORS header is ever sent). Introduced in notebook 11.
"""

import asyncio
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline

from pricelab import __version__
from pricelab.serving.batching import Closed, MicroBatcher, QueueFull
from pricelab.serving.bodies import Answer, Answers, Health, Readiness, answer_of, request_bodies
from pricelab.serving.guard import Guard, bearer
from pricelab.serving.refusals import answer_in_words, later, problems
from pricelab.serving.settings import Limits
from pricelab.serving.starting import Started, warm_up

log = logging.getLogger("pricelab.serving")
DRAINING = "the server is shutting down; ask another one"
Source = Any  # a Pricer, or a function that returns a `Started` when it is called


class Service:
    """A predictor on its way from loading to ready, to draining."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source, self.limits, self.status = source, limits, "loading"
        self.started: Started | None = None
        self.batcher: MicroBatcher | None = None
        self.failure: BaseException | None = None
        self.words = "the predictor is loading; try again"  # to those who come while it is not ready
        self.on_ready: Callable[[Started], None] = lambda started: None
        self.on_failure: Callable[[], None] = lambda: None  # so that whoever runs the server can end it

    async def bring_up(self) -> None:
        """Load and warm up in a thread, so that health is answered meanwhile."""
        try:
            started = await asyncio.to_thread(self._start)
        except Exception as error:
            self._fail(error, f"the predictor could not be loaded: {error}")
            return
        if self.status == "loading":  # else it was told to end meanwhile
            self.open(started)
            self.on_ready(started)

    def open(self, started: Started) -> None:
        """Take texts from now on; called on the event loop that will answer them."""
        self.started, self.limits = started, self.limits.at(started.per_second)
        self.batcher, self.status = MicroBatcher(started.pricer.estimate, self.limits), "ready"
        self.batcher.worker.add_done_callback(self._ended)

    def _ended(self, worker: asyncio.Task) -> None:
        if self.status == "ready":
            why = "cancelled" if worker.cancelled() else type(worker.exception()).__name__
            error = RuntimeError(f"the queue before the model broke down ({why}); start the server again")
            self._fail(error, str(error))

    def _fail(self, error: BaseException, words: str) -> None:
        """Told by /readyz, by the log, and by `server.serve`, which ends."""
        self.failure, self.status, self.words = error, "failed", words
        log.error("%s", words)
        self.on_failure()

    def _start(self) -> Started:
        if not hasattr(self.source, "estimate"):
            return self.source()
        return Started(self.source, per_second=warm_up(self.source, self.limits.max_batch))

    def drain(self) -> None:
        """Take nothing new; a signal handler may call it."""
        if self.failure is None:
            self.status, self.words = "draining", DRAINING

    async def close(self) -> None:
        """Answer what was accepted; take nothing new."""
        self.drain()
        if self.batcher:
            await self.batcher.close()

    async def estimate(self, texts: Sequence[str]) -> list[Any]:
        """The estimates of ``texts`` within the limits; in the place of one that failed, what the model raised.

        Raises:
            HTTPException: none is priced; it says why in words.
        """
        if self.status != "ready" or self.batcher is None:
            raise later(self.words, 503)
        places, more = self.limits.max_queue, len(texts)
        if more > places:
            words = f"the queue has {places} places, too few for {more} texts; send at most {places} at a time"
            raise HTTPException(422, words)
        try:
            async with asyncio.timeout(self.limits.answer_timeout_s):
                outcomes = await self.batcher.submit(texts)
        except QueueFull:
            taken = self.batcher.waiting
            words = f"{taken} of {places} places in the queue are taken, too many for {more} more; try again later"
            raise later(words, 429) from None
        except Closed:
            raise later(DRAINING, 503) from None
        except TimeoutError:
            limit = self.limits.answer_timeout_s
            raise later(f"no answer within {limit:g} seconds; try again, or send fewer texts", 503) from None
        if failed := [outcome for outcome in outcomes if isinstance(outcome, Exception)]:
            where = "".join(traceback.format_tb(failed[0].__traceback__))  # no message: it may quote the text
            log.error("%s on %d of %d texts\n%s", type(failed[0]).__name__, len(failed), more, where)
        return outcomes


class Threadside:
    """A `Service` on an event loop of its own, for callers in threads: what they ask at the same time shares passes."""

    def __init__(self, started: Started, limits: Limits) -> None:
        self._loop, self._service = asyncio.new_event_loop(), Service(None, limits)
        threading.Thread(target=self._loop.run_forever, daemon=True, name="pricelab-queue").start()

        async def open_here() -> None:
            self._service.open(started)

        asyncio.run_coroutine_threadsafe(open_here(), self._loop).result()

    def estimate(self, texts: Sequence[str]) -> list[Any]:
        """As `Service.estimate`."""
        return asyncio.run_coroutine_threadsafe(self._service.estimate(texts), self._loop).result()

    def close(self) -> None:
        """As `Service.close`, then the loop ends."""
        asyncio.run_coroutine_threadsafe(self._service.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)


def create_app(
    pricer: Source, *, limits: Limits | None = None, token: str | None = None, log_texts: bool = False
) -> FastAPI:
    """The application around one predictor.

    Args:
        pricer: a `Pricer`, warmed up before the application starts; or a function that returns a `Started` (see
            `starting.start`), called in the background, while ``/readyz`` answers 503.
        limits: sizes and times; by default `Limits()`.
        token: what callers must send as ``Authorization: Bearer …``; None asks for none.
        log_texts: write product texts to the log as well.

    Raises:
        ValueError: a token that no client could send.
    """
    limits = limits or Limits()
    authorization = None if token is None else bearer(token)
    service = Service(pricer, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bringing = asyncio.ensure_future(service.bring_up())
        if hasattr(pricer, "estimate"):
            await bringing
            if service.failure:
                raise service.failure
        yield
        bringing.cancel()
        await service.close()

    about: dict[str, Any] = {
        "title": "pricelab",
        "version": __version__,
        "lifespan": lifespan,
        "redirect_slashes": False,
    }
    app = FastAPIOffline(redoc_url=None, responses=problems(500), **about)  # FastAPI's own page loads from a CDN
    app.state.service = service
    app.add_middleware(Guard, limits=limits, authorization=authorization)
    answer_in_words(app)
    _add_prices(app, service, token is not None, log_texts)
    _add_health(app, service)
    return app


def _add_prices(app: FastAPI, service: Service, guarded: bool, log_texts: bool) -> None:
    one, many = request_bodies(service.limits)
    secured = [Depends(HTTPBearer(auto_error=False))] if guarded else []  # checked by `guard`; this documents it
    statuses = (400, *([401] if guarded else []), 408, 413, 422, 429, 503)
    options: dict[str, Any] = {"responses": problems(*statuses), "dependencies": secured}

    async def priced(request: Request, texts: list[str]) -> list[Any]:
        request.state.items = len(texts)
        if log_texts:
            log.info("id=%s texts=%r", request.state.request_id, texts)
        return await service.estimate(texts)

    @app.post("/price", summary="Price one product", **options)
    async def price(request: Request, product: one) -> Answer:  # type: ignore[valid-type]
        (estimate,) = await priced(request, [product.description])  # type: ignore[attr-defined]
        if isinstance(estimate, Exception):
            raise HTTPException(500, f"the model failed on this request ({type(estimate).__name__})")
        return answer_of(estimate)

    @app.post("/prices", summary="Price many products", **options)
    async def prices(request: Request, products: many) -> Answers:  # type: ignore[valid-type]
        estimates = await priced(request, products.descriptions)  # type: ignore[attr-defined]
        return Answers(answers=[answer_of(estimate) for estimate in estimates])


def _add_health(app: FastAPI, service: Service) -> None:
    @app.head("/healthz", include_in_schema=False)  # load balancers ask so
    @app.get("/healthz", summary="Is the process alive?")
    async def healthz() -> Health:
        return Health(status="alive")

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", summary="Is the predictor loaded and warm?", responses=problems(503))
    async def readyz() -> Readiness:
        if service.status != "ready" or service.started is None:
            raise later(service.words, 503)
        manifest = getattr(service.started.pricer, "manifest", None)
        sha256 = getattr(manifest, "files", {}).get("adapter_model.safetensors")
        seconds = {part: round(taken, 3) for part, taken in service.started.seconds.items()}
        return Readiness(
            status="ready", model=service.started.pricer.name, adapter_sha256=sha256, start_seconds=seconds,
            max_queue=service.limits.max_queue,
        )  # fmt: skip
