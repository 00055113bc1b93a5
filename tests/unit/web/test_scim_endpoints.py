"""HTTP behaviour of the SCIM endpoints, with an engine that only remembers what it was asked."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from isthmus.config.documents import HostDocument, ScimSettings
from isthmus.scim.errors import ScimError
from isthmus.web.gate import Gate
from isthmus.web.metrics import Recorder
from isthmus.web.scim import scim_application
from unit.web.double import READ, WRITE, DoubleHost

USER = b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada"}'


class Client:
    """Calls the application as granian does."""

    def __init__(self, host: DoubleHost | None = None, *, scim: ScimSettings | None = None) -> None:
        self.host = host or DoubleHost(HostDocument(scim=scim or ScimSettings()))
        self.recorder = Recorder(None)
        self.application: Gate = scim_application(self.host, recorder=self.recorder)  # type: ignore[arg-type]

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = WRITE,
        base: str = "/ecma2host_hr/scim",
        **headers: str,
    ) -> tuple[int, dict[str, str], Any]:
        where, _, query = (base + path).partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": where,
            "QUERY_STRING": query,
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8585",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": "scim.example.com",
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body or b""),
            "wsgi.errors": io.StringIO(),
        }
        if token is not None:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        if body is not None:
            environ |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/scim+json"}
        environ |= headers
        answer: list[Any] = []

        def start(status: str, sent: list[tuple[str, str]], _error: Any = None) -> Any:
            names = [name.lower() for name, _ in sent]
            assert len(names) == len(set(names)), f"a header twice: {names}"
            answer[:] = int(status.split()[0]), {name.lower(): value for name, value in sent}

        content = b"".join(self.application(environ, start))
        status, sent = answer
        if status in {204, 304}:
            assert "content-length" not in sent, "RFC 9110 8.6"
        else:
            assert int(sent["content-length"]) == len(content) or (method == "HEAD" and not content)
        return status, sent, json.loads(content) if content else None

    def asked(self, what: str) -> dict[str, Any]:
        name, arguments = self.host.hr.calls[-1]
        assert name == what
        return arguments


@pytest.fixture
def client() -> Client:
    return Client()


def test_get(client: Client) -> None:
    status, headers, body = client("GET", "/Users/id-0")
    assert status == 200
    assert body["userName"] == "ada"
    assert headers["etag"] == 'W/"1"'
    assert headers["content-type"] == "application/scim+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == ""
    caller = client.asked("get")["caller"]
    assert caller.base_url == "https://scim.example.com/ecma2host_hr/scim"
    assert (caller.actor, caller.address) == ("write token", "192.0.2.7")


@pytest.mark.parametrize(
    "base", ["/scim/hr", "/SCIM/HR", "/ECMA2Host_hr/SCIM", "/ecma2host_HR/scim/", "//ecma2host_hr//scim"]
)
def test_base_urls(client: Client, base: str) -> None:
    assert client("GET", "/users/id-0/", base=base)[0] == 200


def test_name_with_a_dot_and_capitals(client: Client) -> None:
    status, _, body = client("GET", "/Users", base="/scim/crm.sales")
    assert status == 401  # the token is that of hr
    assert "another connector" in body["detail"]


def test_not_modified(client: Client) -> None:
    status, headers, body = client("GET", "/Users/id-0", HTTP_IF_NONE_MATCH='"0", W/"1"')
    assert (status, body) == (304, None)
    assert headers["etag"] == 'W/"1"'


def test_list_parameters(client: Client) -> None:
    query = "?filter=userName+eq+%22a%2Bb%22&startIndex=11&Count=10&nobody=knows&attributes=userName"
    assert client("GET", "/Users/" + query)[0] == 200
    asked = client.asked("list")
    assert asked["filter"] == 'userName eq "a+b"'
    assert (asked["start"], asked["count"]) == (11, 10)
    assert asked["projection"] is not None


@pytest.mark.parametrize(
    ("query", "start", "count"),
    [("", 1, None), ("?startIndex=0&count=0", 0, 0), ("?startIndex=-5&count=-1", -1, -1), ("?count=", 1, None)],
)
def test_page_numbers(client: Client, query: str, start: int, count: int | None) -> None:
    assert client("GET", "/Users" + query)[0] == 200
    asked = client.asked("list")
    assert (asked["start"], asked["count"]) == (start, count)


@pytest.mark.parametrize("query", ["?count=ten", "?startIndex=1.5", f"?count={'9' * 5000}"])
def test_page_numbers_that_are_none(client: Client, query: str) -> None:
    status, _, body = client("GET", "/Users" + query)
    assert (status, body["scimType"]) == (400, "invalidValue")


def test_query_that_is_not_utf8(client: Client) -> None:
    status, _, body = client("GET", "/Users?filter=%ff")
    assert (status, body["scimType"]) == (400, "invalidSyntax")


def test_create(client: Client) -> None:
    status, headers, body = client("POST", "/Users", USER)
    assert status == 201
    assert headers["location"] == f"https://scim.example.com/ecma2host_hr/scim/Users/{body['id']}"


def test_change_and_delete(client: Client) -> None:
    assert client("PUT", "/Users/id-0", USER, HTTP_IF_MATCH='W/"1"')[0] == 200
    assert client.asked("replace")["if_match"] == 'W/"1"'
    status, headers, body = client("PATCH", "/Users/id-0", b'{"Operations":[]}')
    assert (status, body, headers["etag"]) == (204, None, 'W/"1"')
    status, headers, body = client("DELETE", "/Users/id-0")
    assert (status, body) == (204, None)
    assert client("DELETE", "/Users/id-0")[0] == 404


def test_head_is_get_for_the_engine(client: Client) -> None:
    assert client("HEAD", "/Users/id-0")[0] == 200
    assert client("HEAD", "/Users")[0] == 200


def test_options_tells_the_methods(client: Client) -> None:
    status, headers, _ = client("OPTIONS", "/Users/id-0")
    assert status in {200, 204}
    assert {"GET", "PUT", "PATCH", "DELETE"} <= set(headers["allow"].replace(" ", "").split(","))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/Users/id-0", "PATCH"), ("DELETE", "/Users", "POST"), ("POST", "/Schemas", "GET")],
)
def test_wrong_method(client: Client, method: str, path: str, allowed: str) -> None:
    status, headers, body = client(method, path, USER)
    assert status == 405
    assert allowed in headers["allow"]
    assert allowed in body["detail"]


def test_unknown_method(client: Client) -> None:
    status, _, body = client("BREW", "/Users")
    assert status == 501
    assert body["status"] == "501"


def test_discovery(client: Client) -> None:
    _, _, config = client("GET", "/ServiceProviderConfig")
    assert config["filter"]["maxResults"] == ScimSettings().max_count
    assert config["meta"]["location"] == "https://scim.example.com/ecma2host_hr/scim/ServiceProviderConfig"
    _, _, types = client("GET", "/ResourceTypes")
    assert types["totalResults"] == 1
    _, _, one = client("GET", "/ResourceTypes/user")
    assert one == types["Resources"][0]
    schema = "urn:ietf:params:scim:schemas:core:2.0:User"
    _, _, found = client("GET", f"/Schemas/{schema}")
    assert found["meta"]["location"].endswith(f"/Schemas/{schema}")
    assert client("GET", "/Schemas/urn:nobody")[0] == 404
    assert client("GET", "/Schemas?filter=id+pr")[0] == 403  # RFC 7644 4


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_token_stands_for_no_person(client: Client, method: str) -> None:
    assert client(method, "/Me", b"{}")[0] == 501


def test_bulk_can_be_switched_off() -> None:
    client = Client(scim=ScimSettings(bulk_max_operations=0))
    assert client("POST", "/Bulk", b"{}")[0] == 501
    assert client("GET", "/ServiceProviderConfig")[2]["bulk"] == {
        "supported": False, "maxOperations": 0, "maxPayloadSize": 0,
    }  # fmt: skip


def test_unknown_endpoint_names_those_that_are(client: Client) -> None:
    status, _, body = client("GET", "/Groups")
    assert status == 404
    assert "/Users" in body["detail"]


# -- who may


def test_no_token(client: Client) -> None:
    status, headers, body = client("GET", "/Users", token=None)
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    assert headers["connection"] == "close"
    assert "Authorization: Bearer" in body["detail"]


def test_unknown_connector_looks_like_a_wrong_token(client: Client) -> None:
    known = client("GET", "/Users", token="guess")
    unknown = client("GET", "/Users", token="guess", base="/scim/nobody")
    assert known[0] == unknown[0] == 401
    assert known[2] == unknown[2]
    assert "Crm" not in known[2]["detail"]


def test_wrong_path_names_the_right_form(client: Client) -> None:
    for base in ("/", "/scim", "/Users", "/ecma2host_/scim", "/ecma2host_hr"):
        status, _, body = client("GET", "", base=base)
        assert status == 404, base
        assert "/ecma2host_NAME/scim" in body["detail"]
        assert "hr" not in body["detail"].replace("through", "")


def test_read_token_reads_only(client: Client) -> None:
    assert client("GET", "/Users/id-0", token=READ)[0] == 200
    status, headers, body = client("POST", "/Users", USER, token=READ)
    assert status == 403
    assert 'error="insufficient_scope"' in headers["www-authenticate"]
    assert "write" in body["detail"]
    assert client.host.hr.calls[-1][0] == "get"


def test_scheme_is_named(client: Client) -> None:
    status, _, body = client("GET", "/Users", token=None, HTTP_AUTHORIZATION="Basic c2VjcmV0")
    assert status == 401
    assert "Basic" in body["detail"]
    assert "c2VjcmV0" not in body["detail"]


@pytest.mark.parametrize("sent", [WRITE, f"Bearer\t{WRITE}", f"{WRITE} ", f"{WRITE} {WRITE}", f"token={WRITE} x"])
def test_a_token_without_its_scheme_is_not_shown(client: Client, sent: str) -> None:
    """Clients keep and show the text of errors."""
    status, _, body = client("GET", "/Users", token=None, HTTP_AUTHORIZATION=sent)
    assert status == 401
    assert 'must be "Bearer <token>"' in body["detail"]
    assert WRITE[:6] not in body["detail"]


def test_network_that_may_not_connect() -> None:
    client = Client(scim=ScimSettings(allow_from=("10.0.0.0/8",)))
    assert client("GET", "/Users")[0] == 403
    assert client("GET", "/Users", REMOTE_ADDR="10.1.2.3")[0] == 200
    assert client("GET", "/Users", HTTP_X_FORWARDED_FOR="10.1.2.3")[0] == 403  # no proxy is trusted


def test_trusted_proxy() -> None:
    client = Client(scim=ScimSettings(trusted_proxies=("192.0.2.0/24",)))
    forwarded = {
        "HTTP_X_FORWARDED_FOR": "203.0.113.9, 198.51.100.1, 192.0.2.8",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_HOST": "public.example.com",
    }
    client("GET", "/Users", **forwarded)
    caller = client.asked("list")["caller"]
    assert caller.address == "198.51.100.1"
    assert caller.base_url == "http://public.example.com/ecma2host_hr/scim"
    client("GET", "/Users", REMOTE_ADDR="198.51.100.77", **forwarded)
    caller = client.asked("list")["caller"]
    assert caller.address == "198.51.100.77"
    assert caller.base_url == "https://scim.example.com/ecma2host_hr/scim"


def test_host_header_that_is_none(client: Client) -> None:
    client("GET", "/Users", HTTP_HOST='evil"/><script>')
    assert client.asked("list")["caller"].base_url == "https://127.0.0.1:8585/ecma2host_hr/scim"


# -- bodies


class Unread(io.BytesIO):
    """A body that must not be read."""

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {"HTTP_AUTHORIZATION": "Bearer wrong"}),
        (404, {"PATH_INFO": "/nowhere"}),
        (413, {"CONTENT_LENGTH": str(2**21)}),
        (415, {"CONTENT_TYPE": "text/xml"}),
        (415, {"HTTP_CONTENT_ENCODING": "gzip"}),
        (411, {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}),
        (400, {"CONTENT_LENGTH": "-1"}),
        (405, {"REQUEST_METHOD": "DELETE"}),
        (404, {"PATH_INFO": "/scim/hr/Groups"}),
    ],
)
def test_refused_before_the_body_is_read(client: Client, status: int, headers: dict[str, str]) -> None:
    answered, _, body = client("POST", "/Users", USER, **{"wsgi.input": Unread(USER), **headers})  # type: ignore[arg-type]
    assert answered == status
    assert body["status"] == str(status)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":' * 10_000, b'{"userName":"a","userName":"b"}', b"\xff\xfe"])
def test_bodies_that_are_no_object(client: Client, body: bytes) -> None:
    status, _, answer = client("POST", "/Users", body)
    assert (status, answer["scimType"]) == (400, "invalidSyntax")


def test_a_body_that_ends_early(client: Client) -> None:
    status, headers, _ = client("POST", "/Users", USER, CONTENT_LENGTH="500")
    assert (status, headers["connection"]) == (400, "close")


@pytest.mark.parametrize("kind", ["application/json", "application/scim+json; charset=UTF-8", ""])
def test_types_clients_send(client: Client, kind: str) -> None:
    assert client("POST", "/Users", USER, CONTENT_TYPE=kind)[0] == 201


# -- outcomes


def test_errors_of_the_engine(client: Client) -> None:
    def fail() -> None:
        raise ScimError(503, "the target is down\r\nSet-Cookie: x", headers={"Retry-After": "7\r\nX-Bad: 1"})

    client.host.hr.failing = fail
    status, headers, body = client("GET", "/Users/id-0")
    assert status == 503
    assert headers["retry-after"].startswith("7")
    assert "\r" not in headers["retry-after"]
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert client.recorder.totals().requests[0].outcome == "503"


def test_a_bug_tells_nothing_but_the_correlation_id(client: Client) -> None:
    def fail() -> None:
        raise RuntimeError("secret value 4711")

    client.host.hr.failing = fail
    status, headers, body = client("GET", "/Users/id-0", HTTP_X_CORRELATION_ID="abc-1")
    assert status == 500
    assert "4711" not in json.dumps(body)
    assert "abc-1" in body["detail"]
    assert headers["x-correlation-id"] == "abc-1"


def test_a_hostile_correlation_id_is_replaced(client: Client) -> None:
    _, headers, _ = client("GET", "/Users/id-0", HTTP_X_CORRELATION_ID="a b\x07")
    assert headers["x-correlation-id"] != "a b\x07"


def test_closing_tells_clients_to_leave(client: Client) -> None:
    client.application.closing = lambda: True
    assert client("GET", "/Users/id-0")[1]["connection"] == "close"
    assert client("GET", "/Users/id-0", token="wrong")[1]["connection"] == "close"


def test_only_known_connectors_make_series(client: Client) -> None:
    for number in range(50):
        client("GET", "/Users", base=f"/scim/guess{number}")
    assert {series.connector for series in client.recorder.totals().requests} == {""}
