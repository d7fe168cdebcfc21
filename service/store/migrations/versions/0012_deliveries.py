"""Webhooks that were taken, so that none counts twice."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("vendor", "delivery_id"),
    )
    op.create_index(op.f("ix_deliveries_time"), "deliveries", ["time"], unique=False)
