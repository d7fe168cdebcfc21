"""Slates for many customers in a file, for systems that load one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Final

from models.artifact.atomic import atomic_write
from models.data.customers import PERSONALIZE_EMAIL
from models.mail.mailings import CustomerMail, MailKind
from models.recommender import CustomerRequest, Recommender
from models.rules.shop_rules import ShopRule, rules_in_force
from models.slate import SlateRequest
from training.errors import InputError
from training.export.columns import ExportOptions, RecipientSlate, table_of
from training.export.current_model import CurrentModel
from training.export.formats import FORMATS
from training.export.recipients import ExportRecipient
from training.export.resume import Parts, Tally
from training.export.store_snapshot import StoreSnapshot
from training.parallel import shared
from training.progress import Advance

PART: Final = 500  # recipients
EMAIL: Final = (
    "email"  # a file is made for mails: the rules of their placement hold, and the consent for them
)


def export_slates(
    directory: Path,
    recipients: Sequence[ExportRecipient],
    order: ExportOptions,
    parts: Parts,
    *,
    began: int,
    unasked: int,
    processes: int,
    on_progress: Advance,
) -> Tally:
    """Write a slate for each recipient, in their order, into the file of `parts`, which appears whole or not at all.

    From the model in `directory` and what the store said, kept in `parts.live`; rules of the shop hold by the clock
    `began`, in seconds since 1970. Parts that are finished are not made again, and `on_progress` is told of the others.
    """
    starts = range(0, len(recipients), PART)
    finished = parts.finished()
    left = [number for number in range(len(starts)) if number not in finished]
    sizes = [min(PART, len(recipients) - starts[number]) for number in left]
    given = (
        (parts.path(number), recipients[starts[number] : starts[number] + PART]) for number in left
    )
    opened = partial(_now, directory, parts.live, unasked)
    write = partial(_write, order, began, parts.output.suffix)
    try:
        tallies = shared(opened, write, given, processes=min(processes, len(left)))
        for number, made, tally in zip(left, accumulate(sizes), tallies, strict=True):
            parts.finish(number, tally)
            finished[number] = tally
            on_progress(made, sum(sizes))
    except BrokenProcessPool:
        raise InputError(
            f"--output {parts.output}: a process was ended, perhaps for want of memory; --resume goes on"
        ) from None
    with atomic_write(parts.whole, durable=True) as stream:
        FORMATS[parts.output.suffix].join(
            [*map(parts.path, range(len(starts)))], order.schema, stream
        )
    parts.publish()
    return sum(finished.values(), Tally())


def _now(directory: Path, live: Path, unasked: int) -> CurrentModel:
    return CurrentModel.of(Recommender.load(directory), StoreSnapshot.load(live), unasked)


def _write(
    order: ExportOptions,
    began: int,
    suffix: str,
    now: CurrentModel,
    part: tuple[Path, Sequence[ExportRecipient]],
) -> Tally:
    """One part, into a file of its own."""
    path, recipients = part
    mails = _mails(order, began, now, recipients)
    table = table_of(mails, order, now.recommender.catalogue)
    with atomic_write(path, durable=True) as stream:
        FORMATS[suffix].write(table, stream)
    return Tally(
        rows=table.num_rows,
        recipients=len(mails),
        short=sum(len(mail.slate.slots) < order.n for mail in mails),
        not_due=len(recipients) - len(mails),
        fallbacks=dict(
            Counter(
                mail.slate.fallback_reason.value for mail in mails if mail.slate.fallback_reason
            )
        ),
    )


def _mails(
    order: ExportOptions, began: int, now: CurrentModel, recipients: Sequence[ExportRecipient]
) -> list[RecipientSlate]:
    """Of those for whom the mail is due."""
    rules = rules_in_force(now.rules, began)
    letters = [_letter(order, rules, now, one) for one in recipients]
    if order.mailing is None:
        slates = now.recommender.recommend_each(
            [CustomerRequest(mail.customer_id, mail.ordinary, mail.since) for mail in letters]
        )
        return [
            RecipientSlate(one.customer_id, slate)
            for one, slate in zip(recipients, slates, strict=True)
        ]
    # Few of all customers are due, and whoever is not costs no slate.
    return [
        RecipientSlate(one.customer_id, one.slate, one.occasion) for one in letters if one.occasion
    ]


def _letter(
    order: ExportOptions, rules: tuple[ShopRule, ...], now: CurrentModel, recipient: ExportRecipient
) -> CustomerMail:
    """`rules`: those in force, for who is mailed now."""
    customer, since = recipient.customer_id, now.since(recipient.customer_id)
    request = SlateRequest(
        n=order.n,
        as_of=now.as_of if recipient.as_of is None else recipient.as_of,
        repeat=order.repeat,
        placement=EMAIL,
        # As the service: rules begin and end by the clock, unless another moment is asked about.
        rules=rules if recipient.as_of is None else now.rules,
        purpose=PERSONALIZE_EMAIL,
    )
    facts, before = (
        now.about(customer, since, recipient.order_id, recipient.as_of),
        now.seen(customer, since),
    )
    return CustomerMail(
        now.recommender,
        order.mailing or MailKind.NEWSLETTER,
        customer,
        request,
        since,
        facts,
        before,
    )
