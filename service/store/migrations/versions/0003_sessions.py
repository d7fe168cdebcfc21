"""An index for what every host looks for twice a second: which sessions were logged into since."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index(op.f("ix_sessions_number"), "sessions", ["number"], unique=False)
