"""What only the wire shows: search, bulk, cursors, HEAD and OPTIONS over TLS, with two workers."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

from integration.web.serving import Serving, serving, until


def get(served: Serving, path: str) -> Any:
    status, _, body = served.request("GET", path)
    assert status == 200, body
    return json.loads(body)


def test_the_protocol_over_tls(tmp_path: Path) -> None:
    with serving(tmp_path / "host", people=25) as served:
        lists(served)
        methods(served)
        bulk(served)
        assert served.request("GET", "/Users/Zo%C3%AB%0A%FF")[0] == 404
        until(lambda: '"path":"Users/Zoë\\n\ufffd"' in served.log, 10, "the path is logged")
        assert '"bug"' not in served.log


def lists(served: Serving) -> None:
    wanted = sorted(f"user{n}" for n in range(25))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:  # each request on a connection of its own: both workers read each other's cursors
        page = get(served, f"/Users?sortBy=userName&count=4&cursor={quote(cursor)}")
        seen += [each["userName"] for each in page["Resources"]]
        cursor = page.get("nextCursor")
    assert seen == wanted
    body = {"sortBy": "userName", "sortOrder": "descending", "count": 3, "attributes": ["userName"]}
    for path in ("/.search", "/Users/.search"):
        status, _, answer = served.request("POST", path, body)
        assert status == 200, answer
        assert [each["userName"] for each in json.loads(answer)["Resources"]] == wanted[:-4:-1]
    status, _, answer = served.request("GET", "/Users?cursor=forged")
    assert (status, json.loads(answer)["scimType"]) == (400, "invalidCursor")


def methods(served: Serving) -> None:
    for path in ("/", "/Users", "/Schemas", "/openapi.json", "/ServiceProviderConfig"):
        _, got, content = served.request("GET", path)
        status, headers, body = served.request("HEAD", path)
        assert (status, body) == (200, b"")
        assert headers["content-length"] == got["content-length"] == str(len(content))
        status, headers, body = served.request("OPTIONS", path)
        assert status in {200, 204}
        assert body == b""
        assert {"GET", "HEAD"} <= set(headers["allow"].split(", "))


def bulk(served: Serving) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {"userName": f"bulk{n}"}} for n in range(20)
    ]
    operations.append({"method": "DELETE", "path": "/Users/bulkId:b3"})
    status, _, answer = served.request("POST", "/Bulk", {"Operations": operations})
    assert status == 200, answer
    assert [each["status"] for each in json.loads(answer)["Operations"]] == ["201"] * 20 + ["204"]
    assert {f"bulk{n}" for n in range(20)} - served.logins() == {"bulk3"}
    assert served.request("GET", "/Users/x", None)[0] == 404
    try:
        status, _, answer = served.request("POST", "/Bulk", {"x": "y" * 2_000_000})
    except (ConnectionError, ssl.SSLEOFError):
        pass  # refused by its Content-Length: the connection may be closed while the client is still sending
    else:
        assert status == 413
    assert served.request("DELETE", f"/Users/{_id(served, 'bulk4')}")[0] == 204


def _id(served: Serving, login: str) -> str:
    condition = quote(f'userName eq "{login}"')
    return str(get(served, f"/Users?filter={condition}")["Resources"][0]["id"])
