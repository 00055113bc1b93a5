"""Isthmus: a SCIM 2.0 endpoint for applications that do not speak SCIM."""

__version__ = "0.1.0"
