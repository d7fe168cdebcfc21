"""Consents to measuring, as training reads them."""

from alembic import op

revision = "0015"
down_revision = "0014"

# models.data.customers.PURPOSES
PURPOSES = ("train", "personalize_web", "personalize_email", "measure")


def upgrade() -> None:
    answers = [
        f"MAX(CASE WHEN purpose = {purpose} THEN {column} END) AS {name}{ending}"
        for column, ending in (("value", ""), ("time", "_time"))
        for purpose, name in enumerate(PURPOSES)
    ]
    op.execute("DROP VIEW training_customers")
    op.execute(
        f"CREATE VIEW training_customers AS SELECT customer_id, {', '.join(answers)} "  # noqa: S608
        "FROM consents GROUP BY customer_id"
    )
