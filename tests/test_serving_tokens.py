"""Who may ask: every path but health and docs takes the token, wherever the application is mounted."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from serving_fakes import FakePricer

from pricelab.serving import create_app

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
