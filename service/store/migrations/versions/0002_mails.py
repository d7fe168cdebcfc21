"""Campaigns, the slates that mails showed, and when a product came back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("products", sa.Column("restocked", sa.BigInteger(), nullable=True))
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("window_hours", sa.Integer(), nullable=False),
        sa.Column("not_twice", sa.SmallInteger(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("campaign_id"),
    )
    op.create_index(op.f("ix_campaigns_number"), "campaigns", ["number"], unique=False)
    op.create_table(
        "slates",
        sa.Column("ref", sa.LargeBinary(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_index("slates_customer", "slates", ["customer_id", "time"], unique=False)
    op.create_index("slates_time", "slates", ["time"], unique=False)
