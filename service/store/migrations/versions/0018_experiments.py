"""Experiments and the holdout, and the secret that assigns by chance."""

import os

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id"),
    )
    op.create_index(op.f("ix_experiments_number"), "experiments", ["number"], unique=False)
    secret = sa.text("INSERT INTO secrets (name, value) VALUES (:name, :value)")
    op.execute(secret.bindparams(name="experiments", value=os.urandom(32)))
