"""The consent slot of who was erased: other hosts know of it, also once the store is lost."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("erased", sa.Column("slot", sa.Integer(), nullable=True))
