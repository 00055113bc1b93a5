"""Where the fuzzers begin: requests as clients send them. The first byte chooses how an entry point takes the rest."""

from __future__ import annotations

from harness import ENTERPRISE, OWN

FILTERS = (
    'userName eq "jo"',
    'emails[type eq "work" and value co "@x"].value sw "w"',
    'not (emails pr) or active eq true and meta.created gt "2020-01-01T00:00:00Z"',
    f'{OWN}:position.since ge "2020-01-01T00:00:00+01:00"',
    f"{OWN}:salary le 10.50 and {OWN}:rooms eq 2",
    f'{OWN}:badge eq "AAEC" and {OWN}:hiredAt ne null',
    f'{ENTERPRISE}:manager.value eq "x" or groups.value eq "y"',
    'addresses[not (locality eq "Ulm") or country ne null]',
    'displayName eq "crew" and members[value eq "x"]',
    'meta.version eq "W/\\"1\\"" or schemas eq "x" or id sw "a" or externalId eq "e"',
    r'displayName eq "\u00e4\ud83d\ude00\\"',
    "displayName eq jo.smith",
)
PATHS = (
    'emails[type eq "work"].value',
    'emails[primary eq "True"]',
    "emails.value",
    'addresses[type eq "work" or locality sw "U"].locality',
    "name.givenName",
    'phoneNumbers[value eq "1"]',
    f"{ENTERPRISE}:manager",
    f"{OWN}:position.since",
    f"{OWN}:rooms",
    OWN,
    'members[value eq "x"]',
    "members",
    "active",
    'photos[type eq "photo"].value',
    "externalId",
)
PATCHES = (
    (
        b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Add","path":"emails","value":'
        b'[{"value":"n@x.org","type":"other","primary":true}]}]}'
    ),
    (
        b'{"Operations":[{"op":"replace","path":"emails[type eq \\"work\\"].value","value":"c@x"},'
        b'{"op":"remove","path":"emails[type eq \\"home\\"]"}]}'
    ),
    b'{"Operations":[{"op":"Replace","value":{"displayName":"D","name.givenName":"G","'
    + OWN.encode()
    + b':rooms":[3],"emails[type eq \\"work\\"].value":"d@x"}}]}',
    b'{"Operations":[{"op":"add","path":"'
    + OWN.encode()
    + b':position","value":{"grade":4,"share":0.1,"since":"2021-05-05"}}]}',
    b'{"Operations":[{"op":"Remove","path":"members","value":[{"value":"x"}]},{"op":"remove","path":"phoneNumbers"}]}',
    b'{"Operations":[{"op":"replace","path":"active","value":"False"},{"op":"add","path":"externalId","value":null}]}',
)
JSON = (
    b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new","active":"true","emails":[{"value":'
    b'"n@x"},"m@x"],"name":{"givenName":"N"},"' + OWN.encode() + b'":{"salary":1e2,"rooms":[1],"badge":"AA=="}}',
    b'{"displayName":"new","members":[]}',
    (
        b'{"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"b"}},{"method":"POST","path":'
        b'"/Groups","bulkId":"g","data":{"displayName":"b","members":[{"value":"bulkId:a"}]}},{"method":"DELETE","path":'
        b'"/Users/bulkId:a"},{"method":"DELETE","path":"/Groups/bulkId:g"}],"failOnErrors":1}'
    ),
    (
        b'{"filter":"userName pr","sortBy":"name.givenName","sortOrder":"descending","startIndex":1,"count":2,'
        b'"attributes":["userName"]}'
    ),
    b'{"cursor":"","count":1,"excludedAttributes":["emails"]}',
    b'\xef\xbb\xbf{"a":[[[1e400,-0.0,123456789012345678901234567890]]],"A":"\\ud800"}',
)


def seeds(entry: str) -> list[bytes]:
    """Return the inputs an entry point begins with."""
    match entry:
        case "filter":
            return [bytes([kind]) + text.encode() for text in FILTERS for kind in (0, 3, 4)]
        case "path":
            return [bytes([at * 37 & 255]) + text.encode() for at, text in enumerate(PATHS * 4)]
        case "patch":
            return [bytes([kind]) + body for body in PATCHES for kind in range(4)]
        case "json":
            return [bytes([kind]) + body for body in JSON for kind in range(14)]
    raise KeyError(entry)


DICTIONARY = (
    "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "and", "or", "not", "(", ")", "[", "]", ".", ":", '"',
    "\\", "true", "false", "null", "1e308", "-1", "userName", "emails", "type", "value", "primary", "display", "$ref",
    "work", "name", "givenName", "addresses", "locality", "phoneNumbers", "active", "manager", "members", "groups",
    "meta", "created", "lastModified", "version", "resourceType", "schemas", "id", "externalId", "password", OWN,
    ENTERPRISE, "position", "since", "grade", "rooms", "salary", "hiredAt", "badge", "pin", "op", "path", "Operations",
    "add", "replace", "remove", "method", "bulkId", "bulkId:", "data", "POST", "PUT", "PATCH", "DELETE", "/Users/",
    "failOnErrors", "filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes",
    "2024-02-29T12:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00", "\x00", "\ufeff", "\U0001f600",
    "123456789012345678901",
)  # fmt: skip
"""Words that mutations put in."""
