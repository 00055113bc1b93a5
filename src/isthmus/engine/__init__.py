"""Joins protocol, mapping, store and connectors: every request, import and repair goes through here."""
