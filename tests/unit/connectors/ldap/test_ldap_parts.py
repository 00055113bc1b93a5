"""Errors, syntaxes, BER, servers, passwords, plans: everything that needs no server."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed")

import ldap
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from ldap.schema import SubSchema

from isthmus.connectors.ldap import ber, connecting, passwords, planning, starttls, syntaxes
from isthmus.connectors.ldap.directory import Directory
from isthmus.connectors.ldap.errors import ANSWERS, RESULTS, Failure, Kind, Where, failure_of, reported
from isthmus.connectors.ldap.schema import read_layouts
from isthmus.connectors.ldap.servers import AD_DS, DIRECTORY_389, EDIRECTORY, GENERIC, LDS, OPENDJ, OPENLDAP, recognise
from isthmus.connectors.ldap.settings import LdapObjectType, LdapSettings
from isthmus.connectors.ldap.watchdog import Watchdog, Watched
from isthmus.spi import (
    AlreadyExists,
    AttributeChange,
    ConnectorError,
    InvalidValue,
    MisconfiguredConnector,
    Reference,
    Secret,
    TargetRejected,
    TargetUnavailable,
)

SCHEMA = {
    "attributeTypes": (
        "( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )",
        "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
        "( 0.9.2342.19200300.100.1.1 NAME 'uid' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 2.5.4.31 NAME 'member' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
        "( 2.5.4.35 NAME 'userPassword' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
        "( 2.5.4.36 NAME 'userCertificate' SYNTAX 1.3.6.1.4.1.1466.115.121.1.8 )",
        "( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1 NO-USER-MODIFICATION )",
    ),
    "objectClasses": (
        "( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )",
        "( 2.5.6.9 NAME 'groupOfNames' SUP top STRUCTURAL MUST ( member $ cn ) )",
        "( 1.2.3 NAME 'someone' SUP top STRUCTURAL MUST cn MAY ( uid $ userPassword $ userCertificate $ member ) )",
    ),
}


def directory(product: Any = OPENLDAP, **root: tuple[str, ...]) -> Directory:
    return Directory({"namingcontexts": ("dc=x",), **root}, product, SubSchema(SCHEMA, check_uniqueness=0))


def settings(**changes: Any) -> LdapSettings:
    return LdapSettings(**{"url": "ldap://127.0.0.1", "user": "cn=me,dc=x", "password": Secret("pw"), **changes})


def layout(name: str, **changes: Any) -> Any:
    (found,) = read_layouts(directory(), settings(), [LdapObjectType(name=name, **changes)]).values()
    return found


def test_the_table_of_results_is_complete() -> None:
    known = {
        name
        for name, each in vars(ldap).items()
        if isinstance(each, type) and issubclass(each, ldap.LDAPError) and name not in {"LDAPError", "error"}
    }
    assert known == set(RESULTS)
    assert set(Kind) == set(ANSWERS)
    assert set(RESULTS.values()) <= set(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_answer_is_an_error_of_the_interface(kind: Kind) -> None:
    with pytest.raises(ConnectorError) as raised, reported(Where("object type x", writing=True)):
        raise Failure(kind, "CODE, 1", "what the server says")
    assert type(raised.value) is not ConnectorError
    assert raised.value.outcome_unknown is (kind is Kind.LOST)


def test_a_search_that_is_refused_is_not_the_clients_fault() -> None:
    for writing, error in ((True, TargetRejected), (False, MisconfiguredConnector)):
        with pytest.raises(error, match="not indexed"), reported(Where(writing=writing)):
            raise failure_of(ldap.UNWILLING_TO_PERFORM({"info": "Search is not indexed", "result": 53}))


def test_what_was_not_sent_has_a_known_outcome() -> None:
    with pytest.raises(TargetUnavailable) as raised, reported(Where(writing=True)):
        raise Failure(Kind.LOST, "", nothing_sent=True)
    assert not raised.value.outcome_unknown


@pytest.mark.parametrize(
    ("error", "said", "attribute"),
    [
        (ldap.INVALID_SYNTAX, "mail: value #0 invalid per syntax", "mail"),
        (ldap.OBJECT_CLASS_VIOLATION, "object class 'inetOrgPerson' requires attribute 'sn'", "sn"),
        (ldap.OBJECT_CLASS_VIOLATION, "attribute 'foo' not allowed", "foo"),
        (ldap.OBJECT_CLASS_VIOLATION, 'missing attribute "sn" required by object class "person"', "sn"),
        (ldap.OBJECT_CLASS_VIOLATION, 'attribute "foo" not allowed', "foo"),
        (ldap.NAMING_VIOLATION, "naming attribute 'uid' is not present in entry", "uid"),
    ],
)
def test_the_attribute_that_the_server_names(error: Any, said: str, attribute: str) -> None:
    failure = failure_of(error({"desc": "x", "info": said}))
    assert failure.attribute == attribute
    with pytest.raises(InvalidValue) as raised, reported(Where()):
        raise failure
    assert raised.value.attribute == attribute


def test_unique_values_by_an_overlay_or_plugin() -> None:
    for said in ("some attributes not unique", "Another entry with the same attribute value already exists"):
        with pytest.raises(AlreadyExists), reported(Where()):
            raise failure_of(ldap.CONSTRAINT_VIOLATION({"info": said}))


def test_secrets_are_cut_out_of_what_the_server_says() -> None:
    failure = failure_of(ldap.OTHER({"info": "bad value s3cret\nsent"}), hidden=("s3cret", ""))
    assert str(failure) == "bad value *** sent (OTHER)"


def test_operations_error_means_two_things() -> None:
    said = "In order to perform this operation a successful bind must be completed on the connection."
    assert failure_of(ldap.OPERATIONS_ERROR({"info": said})).kind is Kind.LOGIN
    assert failure_of(ldap.OPERATIONS_ERROR({"desc": "Operations error"})).kind is Kind.BROKEN


def test_referrals_are_named() -> None:
    failure = failure_of(ldap.REFERRAL({"info": "Referral:\nldap://a.example/dc=x\nldaps://b.example"}))
    assert failure.referrals == ("ldap://a.example/dc=x", "ldaps://b.example")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20240229123015Z", datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)),
        ("20240229123015.5Z", datetime(2024, 2, 29, 12, 30, 15, 500000, tzinfo=UTC)),
        ("202402291230Z", datetime(2024, 2, 29, 12, 30, tzinfo=UTC)),
        ("2024022912.25Z", datetime(2024, 2, 29, 12, 15, tzinfo=UTC)),
        ("20240229123015+0130", datetime(2024, 2, 29, 11, 0, 15, tzinfo=UTC)),
        ("20240229123015-05", datetime(2024, 2, 29, 17, 30, 15, tzinfo=UTC)),
    ],
)
def test_generalized_times(text: str, moment: datetime) -> None:
    assert syntaxes.parse_time(text) == moment


@pytest.mark.parametrize("text", ["", "2024", "000001010000Z", "20240230120000Z", "20240101120000", "now"])
def test_texts_that_are_no_time(text: str) -> None:
    with pytest.raises(syntaxes.Unfit):
        syntaxes.parse_time(text)


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]), min_value=datetime(2, 1, 1)
    )
)
def test_times_round_trip(moment: datetime) -> None:
    try:
        sent = syntaxes.TIME.encode(moment)
    except syntaxes.Unfit:
        assert moment.year >= 9999
        return
    assert syntaxes.TIME.decode(sent) == moment


@pytest.mark.parametrize(
    ("codec", "wrong"),
    [
        (syntaxes.TEXT, ("", 5, "\ud800", True)),
        (syntaxes.ASCII, ("é",)),
        (syntaxes.INTEGER, (True, "5", 1.5)),
        (syntaxes.BOOLEAN, ("TRUE", 1)),
        (syntaxes.TIME, ("20240101", 5)),
        (syntaxes.BINARY, ("text",)),
        (syntaxes.GUID, ("no guid",)),
        (syntaxes.reference(str, None), ("dc=x", Reference(("a", "b")))),
    ],
)
def test_values_of_another_type_do_not_fit(codec: syntaxes.Codec, wrong: tuple[Any, ...]) -> None:
    for value in wrong:
        with pytest.raises(syntaxes.Unfit):
            codec.encode(value)


def test_a_guid_reads_as_people_write_it() -> None:
    raw = bytes.fromhex("33221100554477668899aabbccddeeff")
    assert syntaxes.GUID.decode(raw) == "00112233-4455-6677-8899-aabbccddeeff"
    assert syntaxes.GUID.encode("00112233-4455-6677-8899-AABBCCDDEEFF") == raw


@given(st.binary(max_size=400))
def test_ber_round_trips(body: bytes) -> None:
    assert list(ber.elements(ber.octets(body) + ber.octets(b"x"))) == [(4, body), (4, b"x")]


@given(st.binary(max_size=60))
def test_ber_of_noise_ends(noise: bytes) -> None:
    try:
        for _ in ber.elements(noise):
            pass
    except ber.BadEncoding:
        pass


@pytest.mark.parametrize(
    ("root", "product"),
    [
        ({"objectclass": ("top", "OpenLDAProotDSE")}, OPENLDAP),
        ({"vendorname": ("389 Project",), "vendorversion": ("389-Directory/2.3.1",)}, DIRECTORY_389),
        ({"supportedcapabilities": ("1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1851")}, LDS),
        ({"supportedcapabilities": ("1.2.840.113556.1.4.800",)}, AD_DS),
        ({"vendorname": ("NetIQ Corporation",), "vendorversion": ("LDAP Agent for NetIQ eDirectory 9.2",)}, EDIRECTORY),
        ({"vendorname": ("ForgeRock AS.",)}, OPENDJ),
        ({}, GENERIC),
    ],
)
def test_servers_are_recognised(root: dict[str, tuple[str, ...]], product: Any) -> None:
    assert recognise(root) is product


def test_passwords_are_hashed_as_the_server_needs_it() -> None:
    secret = Secret("pässwörd")
    text = "pässwörd".encode()
    for kind, algorithm, prefix in (("ssha", hashlib.sha1, b"{SSHA}"), ("ssha512", hashlib.sha512, b"{SSHA512}")):
        value = passwords.written(directory(), settings(password_hash=kind), secret)
        assert value.startswith(prefix)
        raw = base64.b64decode(value[len(prefix) :])
        size = algorithm().digest_size
        assert algorithm(text + raw[size:]).digest() == raw[:size]
    value = passwords.written(directory(), settings(password_hash="argon2"), secret)
    assert PasswordHasher().verify(value.removeprefix(b"{ARGON2}").decode(), "pässwörd")
    assert passwords.written(directory(), settings(password_hash="server"), secret) == text
    assert passwords.written(directory(DIRECTORY_389), settings(), secret) == text
    assert passwords.written(directory(), settings(), secret).startswith(b"{SSHA}")
    assert passwords.written(directory(LDS), settings(), Secret("x")) == b'"\x00x\x00"\x00'
    for wrong in ("", "\ud800"):
        with pytest.raises(InvalidValue):
            passwords.written(directory(), settings(), Secret(wrong))


def test_settings_that_do_not_fit() -> None:
    for changes in (
        {"url": "http://x"},
        {"url": "ldap://user@x"},
        {"url": "ldap://x/dc=org"},
        {"url": "ldap://"},
        {"url": "ldap://x:nan"},
        {"user": ""},
        {"password": None},
        {"password": Secret("")},
        {"bind": "external"},
        {"keytab": "/etc/hostname"},
        {"bind": "gssapi", "keytab": "/no/such/file"},
        {"tls_fingerprint": "abc"},
        {"tls_ca": "/no/such/file"},
    ):
        with pytest.raises(MisconfiguredConnector):
            connecting.servers(settings(**changes))
    assert connecting.servers(settings(url="ldapi://%2Frun%2Fx"))[0].path == "/run/x"
    assert connecting.servers(settings(url="ldaps://[::1]"))[0].port == 636


def test_a_group_that_must_have_members_keeps_a_placeholder() -> None:
    group = layout("groupOfNames")
    assert not group.object_type.attribute("member").required
    (change,) = planning.plan_changes(group, [AttributeChange("member", replace=())])
    assert planning.modifications(group, [change]) == [(ldap.MOD_REPLACE, "member", [b"cn=me,dc=x"])]
    free = layout("someone", multivalued_attributes=("member",))
    (change,) = planning.plan_changes(free, [AttributeChange("member", replace=())])
    assert planning.modifications(free, [change]) == [(ldap.MOD_REPLACE, "member", None)]


def test_changes_go_in_portions() -> None:
    group = layout("groupOfNames")
    members = tuple(Reference((f"uid={i},dc=x",)) for i in range(25))
    changes = [AttributeChange("cn", replace=("x",)), AttributeChange("member", add=members, remove=members[:3])]
    parts = planning.portions(planning.plan_changes(group, changes), 10)
    sizes = [[len(c.add) + len(c.remove) for c in part if c.partial] for part in parts]
    assert sizes == [[3], [10], [10], [5]]
    assert [c.column.name for c in parts[0]] == ["cn", "member"]


def test_schema_of_an_object_type() -> None:
    found = layout("someone", dn_template="uid={uid},dc=x")
    of = found.object_type.attribute
    assert found.object_type.anchor == ("entryUUID",)
    assert of("cn").required
    assert not of("cn").multivalued
    assert not of("cn").case_exact
    assert of("uid").unique
    assert of("userPassword").secret
    assert of("entryUUID").generated
    assert found.column("userCertificate").wire == "userCertificate;binary"
    for changes in (
        {"structural_class": "nothing"},
        {"anchor": "userPassword"},
        {"anchor": "userCertificate"},
        {"anchor": "nothing"},
        {"filter": "uid=x"},
        {"dn_template": "mail={mail},dc=x"},
        {"bases": ("no dn",)},
        {"attributes": ("nothing",)},
        {"multivalued_attributes": ("nothing",)},
        {"member_uid_type": "nothing"},
    ):
        with pytest.raises(MisconfiguredConnector):
            layout("someone", **changes)


def test_the_watchdog_cuts_what_hangs_and_nothing_else() -> None:
    dog = Watchdog()
    one, other = socket.socketpair()
    with one, other:
        watched = Watched(one)
        dog.add(watched)
        with dog.limit(watched, 30):
            pass
        assert not watched.expired
        began = time.monotonic()
        with dog.limit(watched, 0.05):
            assert one.recv(1) == b""
        assert watched.expired
        assert time.monotonic() - began < 5
        dog.remove(watched)
    deadline = time.monotonic() + 5
    while any(thread.name == "ldap watchdog" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert dog._thread is None


def test_the_answer_to_our_own_start_tls() -> None:
    assert starttls.succeeded(starttls._answer(starttls.START_TLS))
    one, other = socket.socketpair()
    with one, other:
        one.sendall(starttls.START_TLS + b"\x16")
        assert starttls.read_message(other) == starttls.START_TLS
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"220 hello\r\n")
        with pytest.raises(ConnectionError):
            starttls.read_message(other)
