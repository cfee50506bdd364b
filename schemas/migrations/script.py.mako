"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Refuse: a step back would drop what people decided. Restore the copy made before the upgrade instead."""
    msg = "Tocsin's database does not go back; restore the copy that was made before the upgrade."
    raise NotImplementedError(msg)
