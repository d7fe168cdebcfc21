"""Write slates for many customers to a file, for systems that load one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from models.artifact.atomic import atomic_write
from models.data.customers import PERSONALIZE_EMAIL
from models.data.history import LATEST
from models.experiments.assignment import BUCKETS
from models.experiments.experiment import Variant
from models.mail.mailings import MAILINGS, CustomerMail, MailKind
from models.recommender import CustomerRequest, Recommender
from models.rules.filters import Filters
from models.rules.shop_rules import ShopRule, rules_in_force
from models.slate import SlateRequest
from training.export.columns import ExportOptions, RecipientSlate, slate_table
from training.export.current_model import CurrentModel
from training.export.formats import FORMATS, make_spreadsheet_safe
from training.export.recipients import ExportRecipient
from training.export.resume import Parts, Tally
from training.export.store_snapshot import StoreSnapshot
from training.parallel import map_in_processes
from training.progress import Advance

PART_RECIPIENTS: Final = 500
# A file is made for mails: the rules of their placement hold, and the consent for them.
EMAIL_PLACEMENT: Final = "email"
EVERYONE: Final = Variant("", share=BUCKETS)  # who is in no experiment


@dataclass(frozen=True)
class SlateExport:
    """Hold what an export is made from, and how. Each process gets a copy."""

    directory: Path  # of the artifact
    options: ExportOptions
    unasked: int  # for customers who never answered: YES or NO of models.data.customers
    began: int  # the clock by which rules of the shop hold, seconds since 1970
    processes: int
    spreadsheet_safe: bool = False  # no text may be a formula to a spreadsheet


class ExportPart(NamedTuple):
    """Recipients whose slates one process writes into a file of their own."""

    path: Path
    recipients: Sequence[ExportRecipient]


def export_slates(
    export: SlateExport, recipients: Sequence[ExportRecipient], parts: Parts, on_progress: Advance
) -> Tally:
    """Write a slate for each recipient, in their order, into the file of `parts`.

    The file appears whole or not at all. Finished parts are not made again, and `on_progress`
    counts the recipients of the others. Raises InputError where a process was killed.
    """
    starts = range(0, len(recipients), PART_RECIPIENTS)
    tallies = parts.finished()
    unfinished = [number for number in range(len(starts)) if number not in tallies]
    sizes = [min(PART_RECIPIENTS, len(recipients) - starts[number]) for number in unfinished]
    work = (
        ExportPart(
            parts.path(number), recipients[starts[number] : starts[number] + PART_RECIPIENTS]
        )
        for number in unfinished
    )
    load = partial(_load_current_model, export, parts.snapshot)
    write = partial(_write_part, export, parts.output.suffix)
    processes = min(export.processes, len(unfinished))
    results = map_in_processes(load, write, work, processes=processes)
    exported = 0
    for number, size, tally in zip(unfinished, sizes, results, strict=True):
        parts.finish(number, tally)
        tallies[number] = tally
        exported += size
        on_progress(exported, sum(sizes))
    files = [parts.path(number) for number in range(len(starts))]
    with atomic_write(parts.whole, durable=True) as stream:
        FORMATS[parts.output.suffix].join(files, export.options.schema, stream)
    parts.publish()
    return sum(tallies.values(), Tally())


def _load_current_model(export: SlateExport, snapshot: Path) -> CurrentModel:
    learned = Recommender.load(export.directory)
    return CurrentModel.of(learned, StoreSnapshot.load(snapshot), export.unasked)


def _write_part(export: SlateExport, suffix: str, current: CurrentModel, part: ExportPart) -> Tally:
    slates = _recipient_slates(export, current, part.recipients)
    table = slate_table(slates, export.options, current.recommender.catalogue)
    if export.spreadsheet_safe:
        table = make_spreadsheet_safe(table)
    with atomic_write(part.path, durable=True) as stream:
        FORMATS[suffix].write(table, stream)
    reasons = [slate.slate.fallback_reason for slate in slates]
    return Tally(
        rows=table.num_rows,
        recipients=len(slates),
        short=sum(len(slate.slate.slots) < export.options.n for slate in slates),
        not_due=len(part.recipients) - len(slates),
        fallbacks=dict(Counter(reason.value for reason in reasons if reason)),
    )


def _recipient_slates(
    export: SlateExport, current: CurrentModel, recipients: Sequence[ExportRecipient]
) -> list[RecipientSlate]:
    """Return the slates of those recipients for whom the mail is due."""
    rules = rules_in_force(current.rules, export.began)
    mails = [
        mail
        for recipient in recipients
        if (mail := _mail(export, rules, current, recipient)) is not None
    ]
    if export.options.mailing is None:
        requests = [CustomerRequest(mail.customer_id, mail.ordinary, mail.update) for mail in mails]
        slates = current.recommender.recommend_each(requests)
        return [
            RecipientSlate(mail.customer_id, slate)
            for mail, slate in zip(mails, slates, strict=True)
        ]
    # Few of all customers are due, and no slate is computed for the others.
    return [
        RecipientSlate(mail.customer_id, mail.slate, mail.occasion)
        for mail in mails
        if mail.occasion
    ]


def _mail(
    export: SlateExport,
    rules: tuple[ShopRule, ...],
    current: CurrentModel,
    recipient: ExportRecipient,
) -> CustomerMail | None:
    """Return a mail, None where an experiment has none shown. `rules`: in force by the clock."""
    options, customer_id = export.options, recipient.customer_id
    update = current.update_of(customer_id)
    # As in the service: rules begin and end by the clock, unless the recipient names a moment.
    rules = rules if recipient.as_of is None else current.rules
    moment = export.began if recipient.as_of is None else recipient.as_of
    assigned = current.find_assigned(customer_id, EMAIL_PLACEMENT, moment)
    variant = assigned.variant if assigned else EVERYONE
    if not variant.shown:
        return None
    request = SlateRequest(
        n=options.n,
        as_of=current.as_of if recipient.as_of is None else recipient.as_of,
        events_until=LATEST if recipient.as_of is None else recipient.as_of,
        repeat=variant.repeat or options.repeat,
        filters=Filters(expression=options.expression),
        placement=EMAIL_PLACEMENT,
        rules=variant.apply_rules(rules),
        purpose=PERSONALIZE_EMAIL,
        holdout=current.holdout,
        variety=variant.variety,
    )
    return CustomerMail(
        current.recommender,
        MAILINGS[options.mailing or MailKind.NEWSLETTER],
        customer_id,
        request,
        update,
        current.facts_for(customer_id, update, recipient.order_id, recipient.as_of),
        current.shown_items(customer_id, update),
    )
