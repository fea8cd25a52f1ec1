"""Who may ask: every path but health and docs takes the token, wherever the application is mounted."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from serving_fakes import FakePricer

from pricelab.serving import create_app, running
from pricelab.serving.server import serve

BODY = {"description": "drill"}


def at_root(app):
    return TestClient(app), ""


def with_a_root_path(app):  # as `uvicorn --root-path /v1`, which puts it before every path
    return TestClient(app, root_path="/v1"), "/v1"


def mounted(app):
    outer = FastAPI(lifespan=lambda _: app.router.lifespan_context(app))
    outer.mount("/v1", app)
    return TestClient(outer), "/v1"


@pytest.mark.parametrize("placed", [at_root, with_a_root_path, mounted])
def test_all_but_health_and_docs_takes_the_token_wherever_the_application_is(placed):
    client, prefix = placed(create_app(FakePricer(), token="s3cret"))
    right = {"Authorization": "Bearer s3cret"}
    with client:
        for path in ("/price", "/prices", "/price/", "//price", "/metrics", "/docs/x", "/healthz/../price"):
            assert client.post(f"{prefix}{path}", json=BODY).status_code == 401, path
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css"):
            assert client.get(f"{prefix}{path}").status_code == 200, path
        assert client.post(f"{prefix}/price", json=BODY, headers=right).json()["estimate"] == 5


@pytest.mark.parametrize("token", ["grüße", "価格", "two words", "raw\udcff"])
def test_a_token_of_any_letters_is_compared_as_it_was_sent(token):
    sent = token.encode("utf-8", "surrogateescape")
    with running(FakePricer(), token=token) as server:
        for given, status in ((sent, 200), (sent[:-1], 401), (sent + b"\xe9", 401)):
            headers = {b"Authorization": b"Bearer " + given}
            assert httpx.post(f"{server.url}/price", json=BODY, headers=headers).status_code == status


@pytest.mark.parametrize("token", ["", " s3cret", "s3cret ", "s3cret\n", "two\nlines", "nul\0"])
def test_a_token_that_no_client_could_send_is_refused_at_the_start(token, tmp_path):
    with pytest.raises(ValueError, match="no header can carry; take another"):
        create_app(FakePricer(), token=token)
    with pytest.raises(ValueError, match="no header can carry"):
        serve(tmp_path, port=0, token=token)
