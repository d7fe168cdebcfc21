"""An index of the purchases that customers have reported themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

IS_CLAIM = sa.text("kind = 0 AND standing = 1")  # models.data.events


def upgrade() -> None:
    op.create_index(
        "events_claims",
        "events",
        ["customer_id", "number"],
        unique=False,
        sqlite_where=IS_CLAIM,
        postgresql_where=IS_CLAIM,
    )
