"""The first schema."""

import os

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NO = 2  # models.customers
EXPOSURE = 7  # models.events

# What training reads. The erased have no rows; who said no to training, or struck a product out, is not in it.
VIEWS = {
    "training_events": f"""
        SELECT e.number, e.event_id, e.kind, e.time, COALESCE(e.customer_id, s.customer_id) AS customer_id,
            e.product_id, e.order_id, e.quantity, e.unit_price, e.currency, e.market, e.rating
        FROM events e
        LEFT JOIN sessions s ON s.session_id = e.session_id
        WHERE e.kind <> {EXPOSURE} AND NOT EXISTS (
            SELECT 1 FROM consents c
            WHERE c.customer_id = COALESCE(e.customer_id, s.customer_id) AND c.purpose = 0 AND c.value = {NO}
        ) AND NOT EXISTS (
            SELECT 1 FROM unused u
            WHERE u.customer_id = COALESCE(e.customer_id, s.customer_id) AND u.product_id = e.product_id
        )
    """,  # noqa: S608
    "training_customers": """
        SELECT customer_id,
            MAX(CASE WHEN purpose = 0 THEN value END) AS train,
            MAX(CASE WHEN purpose = 1 THEN value END) AS personalize_web,
            MAX(CASE WHEN purpose = 2 THEN value END) AS personalize_email,
            MAX(CASE WHEN purpose = 0 THEN time END) AS train_time,
            MAX(CASE WHEN purpose = 1 THEN time END) AS personalize_web_time,
            MAX(CASE WHEN purpose = 2 THEN time END) AS personalize_email_time
        FROM consents
        GROUP BY customer_id
    """,
}


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "consents",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "purpose"),
    )
    op.create_index(op.f("ix_consents_number"), "consents", ["number"], unique=False)
    op.create_table(
        "erased",
        sa.Column("customer", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("customer"),
    )
    op.create_index(op.f("ix_erased_number"), "erased", ["number"], unique=False)
    op.create_table(
        "events",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Double(), nullable=True),
        sa.Column("unit_price", sa.Double(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("market", sa.Text(), nullable=True),
        sa.Column("placement", sa.Text(), nullable=True),
        sa.Column("recommendation_id", sa.Text(), nullable=True),
        sa.Column("rating", sa.Double(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("event_id", "line", name="events_event_id"),
    )
    op.create_index("events_customer", "events", ["customer_id", "number"], unique=False)
    op.create_index(
        "events_order",
        "events",
        ["order_id"],
        unique=False,
        sqlite_where=sa.text("order_id IS NOT NULL"),
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_index(
        "events_session",
        "events",
        ["session_id", "number"],
        unique=False,
        sqlite_where=sa.text("session_id IS NOT NULL"),
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "events_ratings",
        "events",
        ["product_id"],
        unique=False,
        sqlite_where=sa.text("rating IS NOT NULL"),
        postgresql_where=sa.text("rating IS NOT NULL"),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("calls_a_minute", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index(op.f("ix_keys_number"), "keys", ["number"], unique=False)
    op.create_table(
        "position",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=True),
        *(
            sa.Column(name, NUMBER, nullable=False)
            for name in ("catalogue", "rules", "keys", "erased")
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "products",
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("product_id"),
    )
    op.create_index(op.f("ix_products_number"), "products", ["number"], unique=False)
    op.create_table(
        "rules",
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("rule_id"),
    )
    op.create_index(op.f("ix_rules_number"), "rules", ["number"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("sessions_customer", "sessions", ["customer_id"], unique=False)
    op.create_table(
        "unused",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "product_id"),
    )
    op.create_index(op.f("ix_unused_number"), "unused", ["number"], unique=False)

    op.execute(
        "INSERT INTO position (id, number, catalogue, rules, keys, erased) VALUES (1, 0, 0, 0, 0, 0)"
    )
    for name in ("tombstones", "store"):
        secret = sa.text("INSERT INTO secrets (name, value) VALUES (:name, :value)")
        op.execute(secret.bindparams(name=name, value=os.urandom(32)))
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
