"""Writes reports: as data (JSON, CSV, JUnit, tables, evidence) and as text and pictures for people, on request with
pseudonyms."""
