"""An index of what was sold when, from which shop time is read, and until when a campaign counts."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

IS_SALE = sa.text("kind = 0 AND standing = 0")  # models.data.events


def upgrade() -> None:
    op.create_index(
        "events_sales",
        "events",
        ["time"],
        sqlite_where=IS_SALE,
        postgresql_where=IS_SALE,
    )
    op.add_column("campaigns", sa.Column("events_until", sa.BigInteger(), nullable=True))
