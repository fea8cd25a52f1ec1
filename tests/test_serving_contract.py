"""Schemathesis against the OpenAPI document: no undocumented status or form, whatever is sent."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from serving_fakes import FakePricer

from pricelab.serving import Limits, running

LIMITS = Limits(
    max_text_chars=200, max_items=5, max_queue=50
)  # bodies of any size that is generated: 413 has tests of its own
OPERATIONS = [("POST", "/price"), ("POST", "/prices"), ("GET", "/healthz"), ("GET", "/readyz")]


@pytest.fixture(scope="module")
def schema():
    with running(FakePricer(), limits=LIMITS, token="s3cret") as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    # right bodies and wrong ones; a request without a body can't have a wrong one
    [
        (*one, mode)
        for one in OPERATIONS
        for mode in schemathesis.GenerationMode
        if one[0] == "POST" or mode.is_positive
    ],
)
def test_every_answer_is_as_documented(schema, method, path, mode):
    @seed(0)
    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(headers={"Authorization": "Bearer s3cret"})

    ask()


def test_the_document_names_every_operation_the_limits_and_the_refusals(schema):
    document = schema.raw_schema
    assert [(method.upper(), path) for path, methods in document["paths"].items() for method in methods] == OPERATIONS
    schemas = document["components"]["schemas"]
    assert schemas["Product"]["properties"]["description"]["maxLength"] == 200
    assert schemas["Products"]["properties"]["descriptions"]["maxItems"] == 5
    statuses = {"200", "400", "401", "408", "413", "422", "429", "500", "503"}
    assert set(document["paths"]["/price"]["post"]["responses"]) == statuses
