"""Marks, by which a store is told from an older copy of itself, and consents that it has lost."""

import os

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MARK_BYTES = 8


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    first = sa.text("INSERT INTO marks (number, mark) VALUES (0, :mark)")
    op.execute(first.bindparams(mark=os.urandom(MARK_BYTES)))
    op.create_table(
        "lost_consents",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("slot"),
    )
