"""Findings out: the JSON document and text for people."""
