"""Results kept in SQLite or PostgreSQL: written by probes and by `analyze --store`, read by `report STORE`."""
