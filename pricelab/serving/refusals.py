"""What `app` refuses, in words: one form for every status, with what to do, and never a text of the caller's."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from pricelab.serving.bodies import Problem

WORDS = {
    400: "the body can't be read: no text in UTF-8, nested too deeply, or a number of too many digits",
    401: "the token is missing or wrong",
    408: "the body took too long to arrive",
    413: "the body is too large",
    422: "the body is not what is expected; the answer says where",
    429: "too many texts are waiting; try again after Retry-After seconds",
    500: "the model failed on this request",
    503: "still loading, shutting down, too slow, or full of bodies; try again after Retry-After seconds",
}
UNREADABLE = {  # why the framework gave up on a body → what to tell
    UnicodeDecodeError: "the body is not text in UTF-8; send it in UTF-8",
    RecursionError: "the body is nested too deeply; a description is one text in quotes",
    ValueError: "the body has a number of too many digits; a description is a text in quotes",
}
SHOWN_FAULTS = 3  # of a body


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI document's part on these statuses."""
    return {status: {"model": Problem, "description": WORDS[status]} for status in statuses}


def later(words: str, status: int) -> HTTPException:
    """A refusal that passes with time."""
    return HTTPException(status, words, headers={"Retry-After": "1"})


def answer_in_words(app: FastAPI) -> None:
    """Let every refusal of ``app`` have the form of a `Problem`."""
    app.exception_handler(RequestValidationError)(_invalid)
    for kind in (HTTPException, 400, 404, 405):  # the numbers: what the framework itself refuses
        app.exception_handler(kind)(_problem)


async def _problem(request: Request, error: Any) -> JSONResponse:
    words = str(error.detail)
    if error.status_code == 400:
        words = UNREADABLE.get(type(error.__cause__), WORDS[400])
    elif error.status_code == 404:
        words = f"there is nothing at this path; there are {_paths(request.app)}"
    elif error.status_code == 405:
        words = f"this path takes {error.headers['Allow']} only; there are {_paths(request.app)}"
    return _answer(request, error.status_code, words, error.headers)


def _paths(app: FastAPI) -> str:
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema]
    return ", ".join([f"{' '.join(route.methods or ())} {route.path}" for route in routes] + ["GET /docs"])


async def _invalid(request: Request, error: Any) -> JSONResponse:
    """Where the body is wrong and why, without the text itself."""
    found = [_fault(one) for one in error.errors()[:SHOWN_FAULTS]]
    if "json" not in request.headers.get("content-type", ""):
        found.insert(0, "send the header Content-Type: application/json")
    return _answer(request, 422, "; ".join(found))


def _fault(one: dict[str, Any]) -> str:
    if one["type"] == "json_invalid":  # its place is a number of characters, its reason stands beside the message
        return f"body, character {one['loc'][-1]}: not valid JSON ({one['ctx']['error']})"
    return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"


def _answer(request: Request, status: int, words: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": words, "request_id": request.state.request_id}, status, headers=headers)
