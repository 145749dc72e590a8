"""Run by alembic: applies the migrations on the connection in its configuration, inside that one's transaction."""

from __future__ import annotations

from alembic import context

from sipaudit.store.migration import VERSIONS

context.configure(connection=context.config.attributes["connection"], version_table=VERSIONS)
context.run_migrations()
