import json
import re
from itertools import islice

import pytest

from coldstart.api_client import Api, ApiProblem
from tests.coldstart.fake_api import Answer, FakeApi, page, problem, stream, values
from tests.coldstart.told import LAUNCH, an_estimate, an_instance, estimate, message
from tests.refusing_proxy import refusing_proxy
from tests.socks_proxy import DOMAIN, NONSENSE, NOT_ALLOWED, socks_proxy


def test_the_key_goes_with_every_call(api: FakeApi) -> None:
    api.says("GET", "/x", values(1))
    with Api(api.url, "a-key") as client:
        assert client.get("/x", limit=2, cursor=None) == 1
    assert api.asked[0].headers["authorization"] == "Bearer a-key"
    assert api.asked[0].path == "/x?limit=2"


def test_a_list_is_read_page_by_page(api: FakeApi) -> None:
    api.says("GET", "/x", page({"n": 1}, {"n": 2}, then="c"), page({"n": 3}))
    with Api(api.url, "k") as client:
        assert [item["n"] for item in client.pages("/x", model="m")] == [1, 2, 3]
    assert [asked.path for asked in api.asked] == ["/x?model=m", "/x?model=m&cursor=c"]


def test_a_problem_document_becomes_one_line(api: FakeApi) -> None:
    api.says("POST", "/x", problem(422, "The request is not valid", "/model: no such model; check it."))
    with Api(api.url, "k") as client, pytest.raises(ApiProblem) as refused:
        client.post("/x", {})
    assert str(refused.value) == "The request is not valid: /model: no such model; check it."


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"words"', b"{}"])
def test_an_error_without_a_problem_document_is_told_by_its_status(api: FakeApi, body: bytes) -> None:
    api.says("DELETE", "/x", Answer(body, 502))
    with Api(api.url, "k") as client, pytest.raises(ApiProblem, match=r"^502 Bad Gateway$"):
        client.delete("/x")


def test_an_answer_without_content_is_nothing(api: FakeApi) -> None:
    api.says("DELETE", "/x", Answer(b"", 204))
    with Api(api.url, "k") as client:
        assert client.delete("/x") is None


@pytest.mark.parametrize("url", ["http://x:abc", "nonsense", "http://127.0.0.1:1"])
@pytest.mark.real
def test_an_address_where_no_api_is_is_named(url: str) -> None:
    with pytest.raises(ApiProblem, match=url), Api(url, "k") as client:
        client.get("/x")
    with pytest.raises(ApiProblem, match=url), Api(url, "k") as client:
        next(client.events("/events"))


@pytest.mark.parametrize("key", ["kéy", "two\nlines"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ApiProblem, match="COLDSTART_API_KEY"):
        Api("http://127.0.0.1:1", key)


def test_an_api_on_loopback_is_asked_directly_whatever_the_proxy(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.says("GET", "/x", values(1))
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy:1080")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "[fd00::1],fd00::/8")
    with Api(api.url, "key") as client:
        assert client.get("/x") == 1


@pytest.mark.real
def test_a_proxy_that_does_not_lead_to_the_api_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    says = re.escape("the proxy does not lead to https://api.example.com (403 Not with us): check HTTPS_PROXY")
    with refusing_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with Api("https://api.example.com", "key") as client:
            with pytest.raises(ApiProblem, match=says):
                client.get("/x")
            with pytest.raises(ApiProblem, match=says):
                next(client.events("/events"))
    monkeypatch.setenv("HTTPS_PROXY", "socks4://proxy:1080")
    with pytest.raises(ApiProblem, match="which is not supported: name an HTTP or SOCKS5 proxy in HTTPS_PROXY"):
        Api("https://api.example.com", "key")


def test_a_socks_proxy_leads_to_the_api_and_resolves_its_name(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.says("GET", "/x", values(1))
    with socks_proxy(api.url) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("socks5h"))
        with Api("http://api.invalid:81", "key") as client:
            assert client.get("/x") == 1
    assert proxy.asked == [(DOMAIN, "api.invalid", 81)]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (NOT_ALLOWED, "Proxy Server could not connect: Connection not allowed by ruleset."),
        (NONSENSE, "its answer is not SOCKS5"),
    ],
)
@pytest.mark.real
def test_a_socks_proxy_that_does_not_lead_to_the_api_is_named(
    reply: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socks_proxy(reply=reply) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("socks5"))
        with Api("https://api.example.com", "key") as client, pytest.raises(ApiProblem) as refused:
            client.get("/x")
    assert str(refused.value) == (
        f"the proxy does not lead to https://api.example.com ({words}): check HTTPS_PROXY, ALL_PROXY and NO_PROXY."
    )


def test_events_resume_behind_the_last_one_without_repetition(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH[:2]), stream([], position="0a0b0c0d-2"), stream(LAUNCH[2:5]))
    with Api(api.url, "k") as client:
        events = list(islice(client.events("/events", **{"from": "start"}), 5))
    assert events == list(LAUNCH[:5])
    resumed = [asked.headers.get("last-event-id") for asked in api.asked]
    assert resumed == [None, "0a0b0c0d-2", "0a0b0c0d-2"]


def test_a_stream_that_is_lost_before_its_first_event_resumes_where_it_began(api: FakeApi) -> None:
    api.says("GET", "/events", stream([], position="0a0b0c0d-7"), stream(LAUNCH[:1], position="0a0b0c0d-7"))
    with Api(api.url, "k") as client:
        assert next(client.events("/events")) == LAUNCH[0]
    assert [asked.headers.get("last-event-id") for asked in api.asked] == [None, "0a0b0c0d-7"]


def test_events_can_be_told_behind_a_position_that_was_asked_for_before(api: FakeApi) -> None:
    api.says("GET", "/events", stream([], position="0a0b0c0d-7", hold=True), stream(LAUNCH[:1]))
    with Api(api.url, "k") as client:
        position = client.position()
        assert (position, next(client.stream("/events", after=position))) == ("0a0b0c0d-7", LAUNCH[0])
    assert [asked.headers.get("last-event-id") for asked in api.asked] == [None, "0a0b0c0d-7"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (problem(401, "No", "Because."), "^No: Because.$"),
        (Answer(b"", 200, "text/event-stream"), "^no answer from http.*: it ended the stream$"),
        (values(1), "^no answer from http.*text/event-stream"),
    ],
)
def test_where_no_position_is_told_that_is_a_problem(api: FakeApi, answer: Answer, complaint: str) -> None:
    api.says("GET", "/events", answer)
    with Api(api.url, "k") as client, pytest.raises(ApiProblem, match=complaint):
        client.position()


def test_why_nothing_comes_is_known_while_a_stream_is_away(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), problem(503, "Not now", "Later."), stream(LAUNCH[1:2]))
    with Api(api.url, "k") as client:
        events = client.events("/events")
        assert (next(events), client.away) == (LAUNCH[0], None)
        assert (next(events), client.away) == (LAUNCH[1], None)
    with Api(api.url, "k", patience_s=0) as client:
        api.says("GET", "/events", stream(LAUNCH[:1]), problem(503, "Not now", "Later."))
        with pytest.raises(ApiProblem):
            list(client.events("/events"))
        assert client.away == "Not now: Later."


def test_events_go_on_when_the_api_was_away_for_a_moment(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), problem(503, "Not now", "Later."), Answer(b"", 502), stream(LAUNCH))
    with Api(api.url, "k") as client:
        assert [event.type for event in islice(client.events("/events"), 2)] == [LAUNCH[0].type] * 2


def test_an_api_that_stays_away_is_lost(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), problem(503, "Not now", "Later."))
    with Api(api.url, "k", patience_s=0) as client:
        events = client.events("/events")
        next(events)
        with pytest.raises(ApiProblem, match=r"lost http.*Not now: Later"):
            next(events)


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_stream_that_never_opened_is_refused_at_once(api: FakeApi, status: int) -> None:
    api.says("GET", "/events", problem(status, "No", "Because."))
    with Api(api.url, "k") as client, pytest.raises(ApiProblem, match=r"^No: Because\.$"):
        next(client.events("/events"))
    assert len(api.asked) == 1


def test_a_key_that_was_revoked_meanwhile_ends_the_stream(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1]), problem(401, "A valid API key is needed", "Send one."))
    with Api(api.url, "k") as client:
        events = client.events("/events")
        next(events)
        with pytest.raises(ApiProblem, match="A valid API key is needed"):
            next(events)


def test_a_stream_that_began_anew_is_not_taken_for_the_old_one(api: FakeApi) -> None:
    reset = b'id: ffffffff-0\nevent: reset\ndata: {"position": "ffffffff-0"}\n\n'
    api.says("GET", "/events", stream(LAUNCH[:1]), stream([], more=reset))
    with Api(api.url, "k") as client:
        events = client.events("/events")
        next(events)
        with pytest.raises(ApiProblem, match="began anew"):
            next(events)


def test_estimates_are_told_beside_the_events_and_are_none_of_them(api: FakeApi) -> None:
    api.says("GET", "/events", stream(LAUNCH[:1], more=estimate(100.0, 200.0) + message(LAUNCH[1])))
    with Api(api.url, "k") as client:
        assert list(islice(client.events("/events"), 2)) == list(LAUNCH[:2])
        first, told, second = islice(client.stream("/events"), 3)
    assert (first, second) == LAUNCH[:2]
    assert told == an_estimate(100.0, 200.0)


def test_what_another_version_tells_of_an_instance_is_a_problem(api: FakeApi) -> None:
    dancing = {**an_instance(), "status": "dancing"}
    without = {key: value for key, value in LAUNCH[0].json.items() if key != "data"}
    api.says("GET", "/instances", page(dancing))
    api.says("GET", "/events", Answer(f"data: {json.dumps(without)}\n\n".encode(), 200, "text/event-stream"))
    with Api(api.url, "k") as client:
        with pytest.raises(ApiProblem, match="version"):
            list(client.instances())
        with pytest.raises(ApiProblem, match="version"):
            next(client.events("/events"))
