"""The HTTP interface with a predictor without a model: answers, refusals in words, tokens, logs, readiness, faults."""

import json
import logging
import re
import socket
import threading
import time

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving_fakes import FakePricer, OverflowingPricer, closed

from pricelab.serving import Limits, create_app, guard, running
from pricelab.serving.starting import Started

SECRET = "a secret product"


@pytest.fixture
def pricer():
    return FakePricer()


@pytest.fixture
def client(pricer):
    with TestClient(create_app(pricer)) as client:
        yield client


def refused(answer, status, *words):
    """Whether an answer refuses in words, with the request's id."""
    body = answer.json()
    assert answer.status_code == status, answer.text
    assert set(body) == {"error", "request_id"} and body["request_id"] == answer.headers["x-request-id"]
    assert all(word in body["error"] for word in words), body["error"]
    return True


# ---- answers


def test_one_product_gets_its_price(client):
    answer = client.post("/price", json={"description": "a hand drill"})
    assert answer.status_code == 200
    assert answer.json() == {"estimate": 12.0, "low": 6.0, "high": 18.0, "warning": None}


def test_many_products_get_theirs_in_order_and_a_bad_row_keeps_its_place(client):
    answer = client.post("/prices", json={"descriptions": ["a drill", "  ", "overflow", "a saw"]})
    assert [one["estimate"] for one in answer.json()["answers"]] == [7, None, None, 5]
    assert [bool(one["warning"]) for one in answer.json()["answers"]] == [False, True, True, False]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_text_is_answered(client, texts):
    answer = client.post("/prices", json={"descriptions": texts})
    assert answer.status_code == 200
    expected = [1.0 * len(text) if text.strip() else None for text in texts]
    assert [one["estimate"] for one in answer.json()["answers"]] == expected


def test_many_callers_at_once_are_batched(pricer):
    with running(pricer, limits=Limits(max_wait_ms=200, max_batch=8)) as server:

        def ask(number, found):
            found[number] = httpx.post(f"{server.url}/price", json={"description": "x" * number}).json()["estimate"]

        found: dict[int, float] = {}
        threads = [threading.Thread(target=ask, args=(n, found)) for n in range(1, 9)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert found == {n: n for n in range(1, 9)}
        assert sum(size * count for size, count in server.batch_sizes.items()) == 8 and max(server.batch_sizes) > 1


# ---- the page that documents them


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/docs")
    assets = re.findall(r'(?:src|href)="(/[^/"][^"]*)"', page.text)
    assert page.status_code == 200 and "://" not in page.text
    found = {asset.rpartition(".")[2]: client.get(asset) for asset in assets}
    assert {kind: answer.status_code for kind, answer in found.items()} == {"js": 200, "css": 200, "png": 200}
    loaded = re.findall(r"""url\(["']?([^)]*)|@import""", found["css"].text)
    assert loaded and all(place.startswith("data:") for place in loaded)
    assert "url: '/openapi.json'" in page.text and client.get("/openapi.json").status_code == 200


# ---- refusals


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "body, character 1: not valid JSON (Expecting property name"),
        (b'{"description": "a" "b"}', "character 20: not valid JSON (Expecting ',' delimiter"),
        (b"", "required"), (b"[]", "valid"), (b'{"description": 12}', "description: Input should be"),
        (b'{"text": "drill"}', "description: Field required"), (b'{"description": "a", "more": 1}', "body.more"),
        (b'{"description": null}', "string"), (b'{"description": "\\ud800"}', "string"),
        (json.dumps({"description": "x" * 10_001}).encode(), "10000 characters"),
    ],
)  # fmt: skip
def test_a_body_of_another_kind_is_refused_with_the_place(client, body, words):
    assert refused(client.post("/price", content=body, headers={"Content-Type": "application/json"}), 422, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"description": "\xff"}', "not text in UTF-8"), (b"[" * 200_000, "nested too deeply"),
        (b'{"description": ' + b"7" * 5_000 + b"}", "too many digits"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(client, body, words):
    assert refused(client.post("/price", content=body, headers={"Content-Type": "application/json"}), 400, words)


def test_what_is_no_text_is_refused(client):
    assert refused(client.post("/price", content=b"drill"), 422, "Content-Type: application/json")


@pytest.mark.parametrize(
    ("texts", "words"), [([], "at least 1"), (["x"] * 129, "at most 128"), ([1], "descriptions.0")]
)
def test_too_many_or_no_products_are_refused(client, texts, words):
    assert refused(client.post("/prices", json={"descriptions": texts}), 422, words)


def test_a_body_of_10_mb_is_refused_and_the_server_goes_on(client, pricer):
    large = client.post("/price", json={"description": "x" * 10_000_000})
    assert refused(large, 413, "2,000,000 bytes", "a shorter description") and "fewer" not in large.text
    assert refused(client.post("/prices", json={"descriptions": ["x" * 10_000_000]}), 413, "fewer descriptions")
    assert client.post("/price", json={"description": "drill"}).status_code == 200
    assert pricer.asked == ["drill"]


def test_a_body_in_chunks_is_counted_too(client):
    assert refused(client.post("/price", content=iter([b"x" * 1_000_000] * 4)), 413, "bytes")


def test_unknown_paths_and_methods_are_refused_in_the_same_form(client):
    paths = "there are POST /price, POST /prices, GET /healthz, GET /readyz"
    for path in ("/nothing", "/price/", "/docs/"):
        assert refused(client.get(path, follow_redirects=False), 404, "nothing at this path", paths)
    wrong = client.get("/price")
    assert refused(wrong, 405, "takes POST only", paths) and wrong.headers["allow"] == "POST"
    assert refused(client.post("/healthz"), 405, "takes GET only")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_load_balancers_may_ask_for_the_head_alone(path):
    with running(FakePricer()) as server:
        answer = httpx.head(f"{server.url}{path}")
    assert answer.status_code == 200 and answer.content == b"" and answer.headers["x-request-id"]


def test_a_full_queue_is_refused_with_429_and_nothing_below_it_is(pricer):
    with running(pricer, limits=Limits(max_batch=1, max_queue=3, max_items=3)) as server:
        pricer.busy.clear()
        pricer.gate.clear()
        answers: list[httpx.Response] = []

        def ask(*texts):
            answers.append(httpx.post(f"{server.url}/prices", json={"descriptions": texts}, timeout=20))

        threads = [threading.Thread(target=ask, args=texts) for texts in (["first"], ["a", "b", "c"])]
        threads[0].start()
        assert pricer.busy.wait(10)
        threads[1].start()
        batcher = server.app.state.service.batcher
        while batcher.waiting < 3:
            time.sleep(0.005)
        full = httpx.post(f"{server.url}/price", json={"description": "one too many"})
        assert refused(full, 429, "3 of 3", "try again") and full.headers["retry-after"] == "1"
        pricer.gate.set()
        [thread.join() for thread in threads]
        assert [answer.status_code for answer in answers] == [200, 200]


def test_an_answer_that_takes_too_long_is_refused_and_its_text_leaves_the_queue(pricer):
    with TestClient(create_app(pricer, limits=Limits(answer_timeout_s=0.1, max_batch=1))) as client:
        pricer.gate.clear()
        late = client.post("/prices", json={"descriptions": ["drill", "saw"]})
        assert refused(late, 503, "0.1 seconds") and late.headers["retry-after"]
        pricer.gate.set()
        assert client.post("/price", json={"description": "hammer"}).status_code == 200
        assert "saw" not in pricer.asked


def test_a_text_on_which_the_model_fails_keeps_its_place_among_others(client, caplog):
    texts = ["a drill", f"boom, {SECRET}", "a saw"]
    answer = client.post("/prices", json={"descriptions": texts})
    assert answer.status_code == 200 and SECRET not in answer.text + caplog.text
    failed = {"estimate": None, "low": None, "high": None, "warning": "could not be priced (RuntimeError)"}
    assert [one["estimate"] for one in answer.json()["answers"]] == [7, None, 5]
    assert answer.json()["answers"][1] == failed and "RuntimeError on 1 of 3 texts" in caplog.text


def test_a_model_that_fails_is_a_500_without_the_text(client, caplog):
    answer = client.post("/price", json={"description": f"boom, {SECRET}"})
    assert refused(answer, 500, "RuntimeError") and SECRET not in answer.text + caplog.text
    assert "serving_fakes.py" in caplog.text  # where it failed


def test_a_fault_of_the_server_is_a_500_without_the_text(client, caplog, monkeypatch):
    def broken(estimate):
        raise KeyError(SECRET)

    monkeypatch.setattr("pricelab.serving.app.answer_of", broken)
    answer = client.post("/price", json={"description": SECRET})
    assert refused(answer, 500, "KeyError") and SECRET not in answer.text + caplog.text


# ---- tokens


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", "Basic s3cret", "Bearer s3cret ", "bearer s3cret", "é"]
)
def test_without_the_token_nothing_is_priced(pricer, given):
    with TestClient(create_app(pricer, token="s3cret")) as client:
        headers = {"Authorization": given.encode()} if given else {}
        answer = client.post("/price", json={"description": "drill"}, headers=headers)
        assert refused(answer, 401, "Authorization: Bearer") and answer.headers["www-authenticate"] == "Bearer"
        assert pricer.asked == [] and client.get("/readyz").status_code == 200


def test_with_the_token_it_is(pricer):
    with TestClient(create_app(pricer, token="s3cret")) as client:
        headers = {"Authorization": "Bearer s3cret"}
        assert client.post("/price", json={"description": "drill"}, headers=headers).status_code == 200
        assert client.get("/openapi.json").json()["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_a_wrong_token_is_refused_before_the_body_is_read(pricer):
    with TestClient(create_app(pricer, token="s3cret")) as client:
        assert refused(client.post("/price", json={"description": "x" * 10_000_000}), 401)


def test_nothing_but_a_comparison_in_constant_time_decides_on_a_token(pricer, monkeypatch):
    compared = []
    monkeypatch.setattr(guard.hmac, "compare_digest", lambda *both: compared.append(both) or True)
    with TestClient(create_app(pricer, token="s3cret")) as client:
        headers = {"Authorization": "Bearer wrong"}
        assert client.post("/price", json={"description": "drill"}, headers=headers).status_code == 200
    assert compared == [(b"Bearer wrong", b"Bearer s3cret")]


def test_no_other_origin_is_allowed(client):
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/price", headers=asked).status_code == 405
    answer = client.post("/price", json={"description": "drill"}, headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control")]


# ---- ids and logs


@pytest.mark.parametrize(("given", "kept"), [("my-id.7", True), ("bad id\t", False), ("x" * 65, False)])
def test_a_callers_own_id_is_kept_when_it_is_one(client, given, kept):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given) == kept


def test_a_log_line_a_request_without_product_text(client, caplog):
    caplog.set_level(logging.INFO, "pricelab.serving")
    answer = client.post(f"/price?text={SECRET}", json={"description": SECRET})
    client.post("/price", json={"description": [SECRET]})
    client.get(f"/{SECRET}")
    lines = [record.getMessage() for record in caplog.records if record.name == "pricelab.serving"]
    facts = [dict(part.split("=", 1) for part in line.replace("no such path", "-").split()) for line in lines]
    assert [one["status"] for one in facts] == ["200", "422", "404"] and facts[0]["items"] == "1"
    assert facts[0]["id"] == answer.headers["x-request-id"] and facts[0]["path"] == "/price"
    assert SECRET not in "\n".join(lines) and float(facts[0]["ms"]) > 0


def test_texts_are_logged_when_asked_for(pricer, caplog):
    caplog.set_level(logging.INFO, "pricelab.serving")
    with TestClient(create_app(pricer, log_texts=True)) as client:
        client.post("/price", json={"description": SECRET})
    assert SECRET in caplog.text


# ---- readiness


def test_health_is_answered_while_loading_and_prices_are_not():
    loaded, pricer = threading.Event(), FakePricer()
    seconds = {"base": 1.25, "warm-up": 0.5}

    def load():
        assert loaded.wait(10)
        return Started(pricer, seconds)

    with TestClient(create_app(load)) as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        assert refused(client.get("/readyz"), 503, "loading")
        assert refused(client.post("/price", json={"description": "drill"}), 503, "loading")
        loaded.set()
        while (ready := client.get("/readyz")).status_code != 200:
            time.sleep(0.005)
        assert ready.json() == {
            "status": "ready", "model": "fake, qlora", "adapter_sha256": None, "start_seconds": seconds,
            "max_queue": 256,
        }  # fmt: skip
        assert client.post("/price", json={"description": "drill"}).status_code == 200


def test_a_predictor_is_warmed_up_before_it_is_ready(pricer):
    with TestClient(create_app(pricer, limits=Limits(max_batch=5))):
        assert [len(batch) for batch in pricer.batches] == [1, 5]


def test_an_adapter_that_gives_no_numbers_is_never_ready():
    with pytest.raises(ValueError, match="no price for a plain text"), TestClient(create_app(OverflowingPricer())):
        pass


def test_a_predictor_that_cannot_be_loaded_says_why(caplog):
    def load():
        raise ValueError("adapter_model.safetensors was changed after training")

    with TestClient(create_app(load)) as client:
        while "could not be loaded" not in caplog.text:
            time.sleep(0.005)
        reason = "could not be loaded: adapter_model.safetensors was changed"
        assert refused(client.get("/readyz"), 503, reason)
        assert refused(client.post("/price", json={"description": "drill"}), 503, reason)
        assert client.app.state.service.failure.args == ("adapter_model.safetensors was changed after training",)


def test_a_server_whose_queue_broke_down_is_not_ready_and_says_so(pricer):
    with TestClient(create_app(pricer)) as client:
        service, ended = client.app.state.service, threading.Event()
        service.on_failure = ended.set
        service.batcher.worker.get_loop().call_soon_threadsafe(service.batcher.worker.cancel)
        assert ended.wait(10)
        for answer in (client.get("/readyz"), client.post("/price", json={"description": "drill"})):
            assert refused(answer, 503, "broke down (cancelled)", "start the server again")
        assert client.get("/healthz").status_code == 200


# ---- clients that misbehave, and the end


def talk(url, request, stop=False):
    """What a server sends back to raw bytes, until it closes or says no more."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        if stop:
            return b""
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def test_a_body_that_does_not_come_is_given_up_and_others_are_served(pricer):
    with running(pricer, limits=Limits(body_timeout_s=0.2)) as server:
        answer = talk(server.url, b"POST /price HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b"408" in answer.splitlines()[0] and b"0.2 seconds" in answer
        assert httpx.post(f"{server.url}/price", json={"description": "drill"}).status_code == 200


def until(url, body, status, seconds=20):
    """The first answer with ``status``, or the last one."""
    end = time.monotonic() + seconds
    while (answer := httpx.post(f"{url}/price", json=body)).status_code != status and time.monotonic() < end:
        time.sleep(0.02)
    return answer


def test_bodies_share_a_bound_and_leave_it_with_their_requests(pricer):
    """A body that is still coming counts; after its answer, or when its client has gone, its bytes are free again."""
    limits = Limits(max_body_bytes=1000, max_held_bytes=1500, body_timeout_s=30)
    small, large = {"description": "drill"}, {"description": "d" * 700}
    with running(pricer, limits=limits) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for _ in range(5):
            assert httpx.post(f"{server.url}/price", json=large).status_code == 200
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"POST /price HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900)
            assert refused(until(server.url, large, 503), 503, "bodies of other requests")
            assert httpx.post(f"{server.url}/price", json=small).status_code == 200
        assert until(server.url, large, 200).status_code == 200


@pytest.fixture
def slow_reader():
    """A connection that has asked for an answer larger than the system's buffers and read a first piece of it."""
    connections = []

    def ask(url, items):
        host, port = url.removeprefix("http://").split(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before connecting: it bounds the window
        connection.settimeout(20)
        connection.connect((host, int(port)))
        connections.append(connection)
        body = json.dumps({"descriptions": ["drill"] * items}).encode()
        head = f"POST /prices HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        return connection, connection.recv(1000)

    yield ask
    for connection in connections:
        connection.close()


MANY = 60_000  # texts whose answer takes more than 3 MB
# Time for the answer, so that a busy machine's slow warm-up leaves the queue its places.
ROOMY = Limits(max_queue=MANY, max_items=MANY, max_batch=MANY, answer_timeout_s=600, drain_timeout_s=1)


def test_a_client_that_reads_slowly_holds_up_nobody_and_gets_its_whole_answer(pricer, slow_reader):
    with running(pricer, limits=ROOMY) as server:
        connection, answer = slow_reader(server.url, MANY)
        for _ in range(5):
            assert httpx.post(f"{server.url}/price", json={"description": "drill"}).status_code == 200
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0] and len(body) > 3_000_000
    assert [one["estimate"] for one in json.loads(body)["answers"]] == [5.0] * MANY


def test_a_client_that_stops_reading_does_not_keep_the_server_from_ending(pricer, slow_reader):
    server = running(pricer, limits=ROOMY)
    slow_reader(server.url, MANY)
    ending = threading.Thread(target=server.stop, daemon=True)
    ending.start()
    ending.join(60)
    assert not ending.is_alive() and closed(server.url)


def test_a_client_that_goes_frees_its_places_in_the_queue_and_is_noted(pricer, caplog):
    caplog.set_level(logging.INFO, "pricelab.serving")
    with running(pricer, limits=Limits(max_batch=1, max_queue=2, max_items=2)) as server:
        batcher, body = server.app.state.service.batcher, b'{"descriptions": ["gone 1", "gone 2"]}'
        pricer.busy.clear()
        pricer.gate.clear()
        first = threading.Thread(target=httpx.post, args=(f"{server.url}/price",),
                                 kwargs={"json": {"description": "first"}, "timeout": 20})  # fmt: skip
        first.start()
        assert pricer.busy.wait(10)
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as leaving:
            head = f"POST /prices HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            leaving.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
            while batcher.waiting < 2:
                time.sleep(0.005)
        while batcher.waiting:
            time.sleep(0.005)
        pricer.gate.set()
        first.join()
        assert httpx.post(f"{server.url}/price", json={"description": "drill"}).status_code == 200
        assert pricer.asked == ["first", "drill"]
    gone = [line for line in caplog.messages if "path=/prices" in line]
    assert len(gone) == 1 and "status=499 items=2" in gone[0]


def test_stopping_answers_what_was_accepted(pricer):
    server, answers = running(pricer), []
    pricer.busy.clear()
    pricer.gate.clear()
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{server.url}/prices", json={"descriptions": ["a"] * 40}, timeout=20))
    )
    asking.start()
    assert pricer.busy.wait(10)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert closed(server.url)  # from here on only what was accepted is at work
    time.sleep(0.5)  # uvicorn looks 0.1 s after that whether anything is still at work
    assert asking.is_alive() and stopping.is_alive()
    pricer.gate.set()
    stopping.join()
    asking.join()
    assert len(answers[0].json()["answers"]) == 40
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz")
    server.stop()
