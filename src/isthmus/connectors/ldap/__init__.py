"""LDAP v3 directories: OpenLDAP, 389 Directory Server, AD LDS and others; not Active Directory Domain Services."""

from __future__ import annotations

from isthmus.connectors.ldap.settings import LdapObjectType, LdapSettings
from isthmus.spi import Connector, ConnectorType, MisconfiguredConnector


def _open(settings: LdapSettings) -> Connector:
    try:
        from isthmus.connectors.ldap.connector import LdapConnector  # loads OpenLDAP's library
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] not in {"ldap", "_ldap"}:
            raise
        raise MisconfiguredConnector(
            "LDAP needs the package python-ldap: install isthmus[ldap]; on Debian it builds with libldap-dev, "
            "libsasl2-dev, python3-dev and gcc"
        ) from exc
    return LdapConnector(settings)


connector_type: ConnectorType[LdapSettings] = ConnectorType(
    id="ldap",
    title="LDAP directory (OpenLDAP, 389 DS, AD LDS and others)",
    settings=LdapSettings,
    open=_open,
    password_in_create=True,
    watched=True,
    settle_seconds=60.0,  # how long a directory may still work on a write that nobody waits for any more
)

__all__ = ["LdapObjectType", "LdapSettings", "connector_type"]
