"""Slates that were delivered: what each showed, to whom and when first."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HAS_SESSION = sa.text("session_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "shown_slates",
        sa.Column("slate", sa.LargeBinary(), nullable=False),
        sa.Column("recommendation_id", sa.Text(), nullable=False),
        sa.Column("placement", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("products", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slate"),
    )
    op.create_table(
        "exposures",
        sa.Column("exposure", NUMBER, nullable=False),
        sa.Column("slate", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("exposure"),
    )
    op.create_index("exposures_time", "exposures", ["time"])
    op.create_index("exposures_customer", "exposures", ["customer_id", "time"])
    op.create_index(
        "exposures_session",
        "exposures",
        ["session_id", "time"],
        sqlite_where=HAS_SESSION,
        postgresql_where=HAS_SESSION,
    )
