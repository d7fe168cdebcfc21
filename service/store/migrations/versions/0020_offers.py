"""Offers, and the single-use codes of each."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("offer_id"),
    )
    op.create_index(op.f("ix_offers_number"), "offers", ["number"], unique=False)
    op.create_table(
        "offer_codes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("code"),
    )
    is_free = sa.text("given IS NULL")
    op.create_index(
        "offer_codes_free",
        "offer_codes",
        ["offer_id", "code"],
        unique=False,
        sqlite_where=is_free,
        postgresql_where=is_free,
    )
    op.create_index("offer_codes_customer", "offer_codes", ["customer_id", "offer_id"], unique=True)
