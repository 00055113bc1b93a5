"""Headless steps of setting a connector up; they know no HTML and no terminal."""
