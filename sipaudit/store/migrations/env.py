"""Run by alembic: migrations go over the connection they are given, inside its transaction."""

from __future__ import annotations

from alembic import context

from sipaudit.store.migration import VERSIONS

context.configure(connection=context.config.attributes["connection"], version_table=VERSIONS)
context.run_migrations()
