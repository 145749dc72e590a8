"""Findings out: as values (JSON, CSV, JUnit, tables, evidence), and as words and pictures for people; with pseudonyms
where they are wanted."""
