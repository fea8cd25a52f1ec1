"""What happens to a request before FastAPI sees it: its id, the token, the size of its body, the time it takes.

FastAPI reads a body of any size, at any pace. Here it is read first, within limits, and the request is given up when
its client has gone. One log line a request, without product text. An ASGI middleware; what a request means is left to
`app`.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from pricelab.serving.settings import Limits

log = logging.getLogger("pricelab.serving")
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # a caller's own request id is kept when it looks like one
OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json")  # what takes no token: it tells nothing of prices
OPEN_FILES = "/static-offline-docs/"  # of the page that documents the server
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
GONE = 499  # in the log: the client closed the connection before its answer
DRAINED_BODIES = 20  # a body that is too large is read and dropped up to so many times the limit, to be answered

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Refused(Exception):
    """A request that is answered with ``status`` and words instead of being passed on."""

    def __init__(self, status: int, words: str, **headers: str) -> None:
        super().__init__(words)
        self.status, self.words, self.headers = status, words, headers


class ClientGone(Exception):
    """The client closed the connection."""


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: the application.
        limits: of bodies and their time.
        authorization: what all paths but the `OPEN` ones take in this header, see `bearer`; None asks for nothing.
    """

    def __init__(self, app: Any, limits: Limits, authorization: bytes | None = None) -> None:
        self.app, self.limits, self.authorization = app, limits, authorization
        self._held = 0  # bytes of the bodies of all requests at work

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            self._check_token(scope)
            body = await self._read(exchange, scope, receive)
            await self._pass_on(exchange, scope, body, receive)
        except Refused as refused:
            await exchange.refuse(refused)
        except ClientGone:
            exchange.status = GONE
        except asyncio.CancelledError:  # the server ends and waits no longer; it expects nothing more of this task
            if not exchange.status:
                words = "the server ended before the answer was there; ask another one"
                await exchange.refuse(Refused(503, words, **{"Retry-After": "1"}))
        except Exception as error:  # a fault of ours; its message may quote a text
            log.error("id=%s %s in the application", exchange.id, type(error).__name__)
            if not exchange.status:
                await exchange.refuse(Refused(500, f"the server failed on this request ({type(error).__name__})"))
        finally:
            self._held -= exchange.held
        exchange.note()

    def _check_token(self, scope: dict[str, Any]) -> None:
        path = _path(scope)
        if self.authorization is None or path in OPEN or path.startswith(OPEN_FILES):
            return
        if not hmac.compare_digest(_raw_header(scope, b"authorization"), self.authorization):
            words = "this server asks for a token: send the header Authorization: Bearer TOKEN"
            raise Refused(401, words, **{"WWW-Authenticate": "Bearer"})

    async def _read(self, exchange: "_Exchange", scope: dict[str, Any], receive: Receive) -> bytes:
        limit, body, size, more = self.limits.max_body_bytes, bytearray(), 0, True
        announced = _header(scope, b"content-length")
        if announced.isdecimal() and int(announced) > limit and _header(scope, b"expect"):
            raise Refused(413, self._too_large(scope))  # the client waits for our word before it sends the body
        try:
            async with asyncio.timeout(self.limits.body_timeout_s):
                while more and size <= DRAINED_BODIES * limit:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    part, more = message.get("body", b""), message.get("more_body", False)
                    size += len(part)
                    if size <= limit:
                        self._hold(exchange, len(part))
                        body += part
        except TimeoutError:
            words = f"the body did not arrive within {self.limits.body_timeout_s:g} seconds; send it again"
            raise Refused(408, words, Connection="close") from None
        if size > limit:
            raise Refused(413, self._too_large(scope), Connection="close")
        return bytes(body)

    def _hold(self, exchange: "_Exchange", size: int) -> None:
        if self._held + size > self.limits.max_held_bytes:
            words = "the bodies of other requests fill the memory set aside for them; try again in a moment"
            raise Refused(503, words, **{"Retry-After": "1", "Connection": "close"})
        self._held += size
        exchange.held += size

    def _too_large(self, scope: dict[str, Any]) -> str:
        cure = "send fewer descriptions at a time" if _path(scope) == "/prices" else "send a shorter description"
        return f"the body is larger than {self.limits.max_body_bytes:,} bytes; {cure}"

    async def _pass_on(self, exchange: "_Exchange", scope: dict[str, Any], body: bytes, receive: Receive) -> None:
        """Run the application on the body, and stop it when the client goes."""
        sent = asyncio.Event()

        async def replay() -> dict[str, Any]:
            if sent.is_set():
                return await receive()
            sent.set()
            return {"type": "http.request", "body": body, "more_body": False}

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        work, watch = asyncio.ensure_future(self.app(scope, replay, exchange.send)), asyncio.ensure_future(gone())
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and exchange.answered:
                await work  # the answer is out; what is left is ours
        finally:
            watch.cancel()
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        if work.cancelled():
            raise ClientGone


class _Exchange:
    """One request and what was answered to it."""

    def __init__(self, scope: dict[str, Any], send: Send) -> None:
        given = _header(scope, b"x-request-id")
        self.id = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        self.state = scope.setdefault("state", {})
        self.state["request_id"] = self.id
        self.scope, self.begun, self.status, self.answered = scope, time.perf_counter(), 0, False
        self.held = 0  # bytes of its body in memory
        self._send = send

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.id.encode())]
        else:
            self.answered = not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        body = json.dumps({"error": refused.words, "request_id": self.id}).encode()
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refused.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        await self.send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def note(self) -> None:
        route = getattr(self.scope.get("route"), "path", None) or "(no such path)"  # a path may hold anything
        facts = {"id": self.id, "method": self.scope["method"], "path": route, "status": self.status}
        facts |= {"items": self.state.get("items", 0), "ms": round(1000 * (time.perf_counter() - self.begun), 1)}
        log.info("%s", " ".join(f"{name}={value}" for name, value in facts.items()))


def bearer(token: str) -> bytes:
    """The header ``Authorization`` that carries ``token``, in UTF-8.

    Raises:
        ValueError: no client could send it.
    """
    if not token or token != token.strip() or CONTROL.search(token):
        raise ValueError(
            "the token is empty, has spaces around it or a line break or tab in it, which no header can carry; "
            "take another, such as: openssl rand -hex 32"
        )
    return f"Bearer {token}".encode("utf-8", "surrogateescape")  # an environment's bytes that are no UTF-8 stay


def _path(scope: dict[str, Any]) -> str:
    """The path that the router goes by: without the prefix under which the application is mounted."""
    root, path = scope.get("root_path", ""), scope["path"]
    return path[len(root) :] if path.startswith(f"{root}/") else path


def _raw_header(scope: dict[str, Any], name: bytes) -> bytes:
    """A header's value as it was sent; empty when it is missing."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def _header(scope: dict[str, Any], name: bytes) -> str:
    return _raw_header(scope, name).decode("latin-1")
