"""Tables of the store.

A row that changes an answer carries the number of its change. Numbers are taken under the lock of
one row.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    and_,
    literal,
    text,
)

from models.data.events import PURCHASE, Standing

metadata: Final = MetaData()
# In SQLite an Integer key is a row's own number, and needs no index besides.
Number: Final = BigInteger().with_variant(Integer(), "sqlite")

# One row. Every change takes numbers here first, and holds the lock of the row until the commit.
# So numbers are committed in their order, and all up to the one that is seen are there.
position: Final = Table(
    "position",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Number, nullable=False),  # of the newest change
    Column("newest", BigInteger),  # time of the newest event, seconds since 1970
    # The number of the newest change of each of these
    *(Column(name, Number, nullable=False) for name in ("catalogue", "rules", "keys", "erased")),
)

# A purchase or an exposure of several products is several lines of one event.
events: Final = Table(
    "events",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False),
    Column("line", SmallInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),  # index in models.data.events.KINDS
    Column("time", BigInteger, nullable=False),  # seconds since 1970, UTC
    Column("customer_id", Text),  # NULL: a guest, or a session that nobody has logged into
    Column("session_id", Text),
    Column("product_id", Text, nullable=False),
    Column("order_id", Text),
    Column("quantity", Double),
    Column("unit_price", Double),
    Column("currency", Text),
    Column("market", Text),
    Column("placement", Text),
    Column("recommendation_id", Text),
    Column("rating", Double),  # stars, 1 to 5
    Column("words", Text),
    Column("standing", SmallInteger, nullable=False, server_default="0"),  # models.data.events
    UniqueConstraint("event_id", "line", name="events_event_id"),
)
Index("events_customer", events.c.customer_id, events.c.number)
Index(
    "events_session",
    events.c.session_id,
    events.c.number,
    sqlite_where=events.c.session_id.isnot(None),
)
Index("events_order", events.c.order_id, sqlite_where=events.c.order_id.isnot(None))
# Purchases that customers have reported themselves: kind 0, standing 1.
Index(
    "events_claims",
    events.c.customer_id,
    events.c.number,
    sqlite_where=text("kind = 0 AND standing = 1"),
)
Index("events_ratings", events.c.product_id, sqlite_where=events.c.rating.isnot(None))
# What the shop sold, in the words of its index, so that it is used: with the numbers themselves.
IS_SALE: Final = and_(
    events.c.kind == literal(PURCHASE, SmallInteger, literal_execute=True),
    events.c.standing == literal(Standing.SHOP, SmallInteger, literal_execute=True),
)
Index("events_sales", events.c.time, sqlite_where=IS_SALE)
for index in events.indexes:
    where = index.dialect_options["sqlite"]["where"]
    if where is not None:
        index.dialect_options["postgresql"]["where"] = where

# Which customer a session turned out to be: the first who logged in.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("number", Number, nullable=False, index=True),
)
Index("sessions_customer", sessions.c.customer_id)

# The latest answer of each customer, by the time at which they gave it.
consents: Final = Table(
    "consents",
    metadata,
    Column("customer_id", Text, primary_key=True),
    # Index in models.data.customers.PURPOSES
    Column("purpose", SmallInteger, primary_key=True, autoincrement=False),
    Column("value", SmallInteger, nullable=False),  # YES or NO
    Column("time", BigInteger, nullable=False),
    Column("number", Number, nullable=False, index=True),
)

# "Do not use this product": what a customer struck out of their own profile.
unused: Final = Table(
    "unused",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("product_id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("number", Number, nullable=False, index=True),
)

# Customers who took a row of `unused` back, with the number of the last time: it is gone from
# there.
used_again: Final = Table(
    "used_again",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("number", Number, nullable=False, index=True),
)

# What each customer has said last of what they like, avoid and need. Who took it back has said
# nothing, which stands against what a model has learned.
preferences: Final = Table(
    "preferences",
    metadata,
    Column("customer_id", Text, primary_key=True),
    # JSON of models.rules.preferences.Preferences
    Column("document", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("number", Number, nullable=False, index=True),
)

# A tombstone: the keyed hash of an id, never the id.
erased: Final = Table(
    "erased",
    metadata,
    Column("customer", LargeBinary, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("number", Number, nullable=False, index=True),
    Column("slot", Integer),  # of the id's consents; NULL: it was erased before slots were kept
)

# What the shop says about its products now, over what the artifact has learned of them.
products: Final = Table(
    "products",
    metadata,
    Column("product_id", Text, primary_key=True),
    Column("document", Text, nullable=False),  # JSON object of the fields that are known here
    Column("restocked", BigInteger),  # when it last came back into stock, seconds since 1970
    Column("number", Number, nullable=False, index=True),
)

rules: Final = Table(
    "rules",
    metadata,
    Column("rule_id", Text, primary_key=True),
    # JSON of a models.rules.shop_rules.ShopRule; NULL where the rule was deleted
    Column("document", Text),
    Column("number", Number, nullable=False, index=True),
)

# Units that the shop has put together. A change of one counts as a change of the rules.
bundles: Final = Table(
    "bundles",
    metadata,
    Column("bundle_id", Text, primary_key=True),
    # JSON of service.schemas.bundles.BundleBody with its id; NULL where the bundle was deleted
    Column("document", Text),
    Column("number", Number, nullable=False, index=True),
)

# Which slates differ by chance; the holdout is among them. A change counts as one of the rules.
experiments: Final = Table(
    "experiments",
    metadata,
    Column("experiment_id", Text, primary_key=True),
    # JSON of service.schemas.experiments.ExperimentBody with its id, or of the holdout; NULL where
    # it was deleted
    Column("document", Text),
    Column("number", Number, nullable=False, index=True),
)

# How slates look in mails.
blocks: Final = Table(
    "blocks",
    metadata,
    Column("name", Text, primary_key=True),
    # JSON of service.schemas.blocks.BlockBody; NULL where the block was deleted
    Column("document", Text),
    Column("number", Number, nullable=False, index=True),
)

# What the shop offers some of its customers.
offers: Final = Table(
    "offers",
    metadata,
    Column("offer_id", Text, primary_key=True),
    # JSON of service.schemas.offers.OfferBody; NULL where the offer was deleted
    Column("document", Text),
    Column("number", Number, nullable=False, index=True),
)

# Single-use codes of offers. Who got one may be unknown: a code stays given.
offer_codes: Final = Table(
    "offer_codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("offer_id", Text, nullable=False),
    Column("given", BigInteger),  # seconds since 1970; NULL: to nobody yet
    Column("customer_id", Text),
)
IS_FREE: Final = offer_codes.c.given.is_(None)
Index(
    "offer_codes_free",
    offer_codes.c.offer_id,
    offer_codes.c.code,
    sqlite_where=IS_FREE,
    postgresql_where=IS_FREE,
)
Index("offer_codes_customer", offer_codes.c.customer_id, offer_codes.c.offer_id, unique=True)

# A mailing: which model answers it, for which moment, and for how long a slate stays what it is.
campaigns: Final = Table(
    "campaigns",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # models.mail.mailings.MailKind
    Column("model_version", Text, nullable=False),
    Column("as_of", BigInteger, nullable=False),  # seconds since 1970, like the next one
    Column("opened", BigInteger, nullable=False),  # by the clock
    Column("window_hours", Integer, nullable=False),  # 0: it was deleted
    # Number of earlier campaigns whose products it does not show again
    Column("not_twice", SmallInteger, nullable=False),
    Column("events_until", BigInteger),  # seconds since 1970; NULL: `as_of`
    Column("number", Number, nullable=False, index=True),
)

# What a mail showed whom. No cached answer depends on it before it was read once: so no number.
slates: Final = Table(
    "slates",
    metadata,
    Column("ref", LargeBinary, primary_key=True),  # keyed hash of campaign, customer and query
    Column("campaign_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("time", BigInteger, nullable=False),  # by the clock
    Column("document", Text, nullable=False),  # JSON, as service.mail writes it
)
Index("slates_customer", slates.c.customer_id, slates.c.time)
Index("slates_time", slates.c.time)

# What a slate that was delivered showed. No answer depends on this table or the next: no numbers.
shown_slates: Final = Table(
    "shown_slates",
    metadata,
    Column("slate", LargeBinary, primary_key=True),  # service.store.exposures.name_slate
    Column("recommendation_id", Text, nullable=False),
    Column("placement", Text),
    Column("campaign", Text),
    Column("strategy", Text, nullable=False),
    Column("products", Text, nullable=False),  # JSON: [[product id, source, reason], …]
    Column("time", BigInteger, nullable=False),  # when it was delivered lately, within a day
)

# To whom a slate was delivered, and when first. Both ids NULL: nobody, or who is not measured.
exposures: Final = Table(
    "exposures",
    metadata,
    Column("exposure", Number, primary_key=True),
    Column("slate", LargeBinary, nullable=False),
    Column("customer_id", Text),
    Column("session_id", Text),
    Column("time", BigInteger, nullable=False),  # seconds since 1970
    Column("count", Integer, nullable=False),  # more than one of nobody alone
)
Index("exposures_time", exposures.c.time)
Index("exposures_customer", exposures.c.customer_id, exposures.c.time)
HAS_SESSION: Final = exposures.c.session_id.isnot(None)
Index(
    "exposures_session",
    exposures.c.session_id,
    exposures.c.time,
    sqlite_where=HAS_SESSION,
    postgresql_where=HAS_SESSION,
)

keys: Final = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("calls_a_minute", BigInteger),  # NULL: as the settings say
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),  # NULL: valid
    Column("number", Number, nullable=False, index=True),
)

# Who changed what, and when. No customer's id stands in it.
audit: Final = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),  # key_id, or "command line"
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text),  # JSON
    Column("after", Text),  # JSON
)

# What tokens have had stored: one row for each customer, or visit of nobody, who reported lately.
quotas: Final = Table(
    "quotas",
    metadata,
    Column("owner", LargeBinary, primary_key=True),  # a keyed hash, like a tombstone
    Column("day", BigInteger, nullable=False, index=True),  # since 1970
    Column("lines", BigInteger, nullable=False),  # on that day, like the next one
    Column("bytes", BigInteger, nullable=False),
)

# Webhooks that were taken: see service.store.deliveries.
deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("vendor", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False, index=True),  # seconds since 1970, when it came
    Column("updated", BigInteger),  # of an order or a product, when it was changed at the vendor
)

# Shops that are to be erased: see service.store.shop_erasure.
shop_erasures: Final = Table(
    "shop_erasures",
    metadata,
    Column("shop", Text, primary_key=True),  # its domain at its shop system
    Column("time", BigInteger, nullable=False),  # seconds since 1970, when it was asked for
)

# Other shops of the deployment: see service.store.shops. Only the store of the main shop has rows.
shops: Final = Table(
    "shops",
    metadata,
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),  # JSON object of the settings it has of its own
    Column("secret", LargeBinary, nullable=False),  # random; its signing key is made of it
    Column("created", BigInteger, nullable=False),  # seconds since 1970, like the next one
    Column("ending", BigInteger),  # since when it answers no more; NULL: it answers
)

# From which change on which process wrote: see service.store.lineage.
marks: Final = Table(
    "marks",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),  # of the first change
    Column("mark", LargeBinary, nullable=False),  # random
)

# Consents that were known when the store was found to have lost changes, and that it does not hold:
# a customer in the slot refuses, unless they answered after the number.
lost_consents: Final = Table(
    "lost_consents",
    metadata,
    # models.data.customers.consent_slot
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("number", Number, nullable=False),
)

# Secrets that must outlive every setting: keys of tombstones, and of who is in which experiment.
secrets: Final = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
