"""What Alembic runs for each command: the steps, on the connection that the caller opened.

Only ``schemas.migrations`` and ``tools/new_migration.py`` start it; both hand over an open transaction, which they
commit. It reads no settings and configures no logging.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from schemas.tables import metadata
from schemas.tables.base import Document, Moment
from schemas.tables.log import Position


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 (Alembic's protocol)
    """Write our own column types by name, so that a step says the same on both databases."""
    if kind != "type":
        return False
    for name, own in (("Document", Document), ("Position", Position)):
        if item is own:
            autogenerate.imports.add(
                f"from schemas.tables.{'base' if own is Document else 'log'} import {name}"
            )
            return name
    if isinstance(item, Moment):
        autogenerate.imports.add("from schemas.tables.base import Moment")
        return "Moment()"
    return False


def run() -> None:
    """Run what was asked for, in the caller's transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_item=render_item,
        user_module_prefix="",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
