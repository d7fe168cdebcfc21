"""Write slates for many customers to a file, for systems that load one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from models.artifact.atomic import atomic_write
from models.data.customers import PERSONALIZE_EMAIL
from models.data.history import LATEST
from models.data.segments import CustomerGroups
from models.experiments.assignment import BUCKETS
from models.experiments.experiment import AssignedVariant, Variant
from models.mail.mailings import MAILINGS, CustomerMail, MailKind
from models.recommender import CustomerRequest, Recommender
from models.rules.filters import Filters
from models.rules.shop_offers import OfferSituation, ShopOffer
from models.rules.shop_rules import ShopRule, rules_in_force
from models.slate import SlateRequest
from training.export.columns import (
    ExportOptions,
    Layout,
    RecipientSlate,
    language_of,
    slate_table,
)
from training.export.current_model import CurrentModel
from training.export.formats import FORMATS, make_spreadsheet_safe
from training.export.offers import OfferedCustomer, find_slate_offers
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
    registry: Path
    options: ExportOptions
    unasked: int  # for customers who never answered: YES or NO of models.data.customers
    began: int  # the clock by which rules of the shop hold, seconds since 1970
    processes: int
    spreadsheet_safe: bool = False  # no text may be a formula to a spreadsheet
    store: str | None = None  # address of the service's store, in which codes are given


class ExportPart(NamedTuple):
    """Recipients whose slates one process writes into a file of their own."""

    path: Path
    recipients: Sequence[ExportRecipient]


def export_slates(
    export: SlateExport,
    recipients: Sequence[ExportRecipient],
    parts: Parts,
    on_progress: Advance,
) -> Tally:
    """Write a slate for each recipient, in their order, into the file of `parts`.

    The file appears whole or not at all. Finished parts are not made again, and `on_progress`
    counts the recipients of the others. Raises InputError where a process was killed.
    """
    tallies = parts.finished()
    unfinished = [number for number in range(count_parts(recipients)) if number not in tallies]
    work = (ExportPart(parts.path(number), part_of(recipients, number)) for number in unfinished)
    sizes = [size_of_part(recipients, number) for number in unfinished]
    load = partial(load_current_model, export, parts.snapshot)
    write = partial(write_part, export, parts.output.suffix)
    processes = min(export.processes, len(unfinished))
    results = map_in_processes(load, write, work, processes=processes)
    exported = 0
    for number, size, tally in zip(unfinished, sizes, results, strict=True):
        parts.finish(number, tally)
        tallies[number] = tally
        exported += size
        on_progress(exported, sum(sizes))
    return join_parts(export, parts, tallies)


def count_parts(recipients: Sequence[ExportRecipient]) -> int:
    """Return in how many parts these recipients are exported."""
    return -(-len(recipients) // PART_RECIPIENTS)


def part_of(recipients: Sequence[ExportRecipient], number: int) -> Sequence[ExportRecipient]:
    """Return the recipients of a part."""
    return recipients[number * PART_RECIPIENTS : (number + 1) * PART_RECIPIENTS]


def size_of_part(recipients: Sequence[ExportRecipient], number: int) -> int:
    """Return how many recipients a part has."""
    return min(PART_RECIPIENTS, len(recipients) - number * PART_RECIPIENTS)


def join_parts(export: SlateExport, parts: Parts, tallies: Mapping[int, Tally]) -> Tally:
    """Join the parts with these numbers, which are all there are, and publish the file."""
    files = [parts.path(number) for number in range(len(tallies))]
    with atomic_write(parts.whole, durable=True) as stream:
        FORMATS[parts.output.suffix].join(files, export.options.schema, stream)
    parts.publish()
    return sum(tallies.values(), Tally())


def load_current_model(export: SlateExport, snapshot: Path) -> CurrentModel:
    """Map what every part is answered from, and bring it up to date with a store's snapshot."""
    learned = Recommender.load(export.directory)
    current = CurrentModel.of(learned, StoreSnapshot.load(snapshot), export.unasked)
    return current.with_figures(export.registry)


def write_part(export: SlateExport, suffix: str, current: CurrentModel, part: ExportPart) -> Tally:
    """Write the slates of a part into its file, which appears whole or not at all."""
    mails = _due_mails(export, current, part.recipients)
    slates = _recipient_slates(export, current, mails)
    if export.options.with_offers:
        slates = _with_offers(export, current, mails, slates)
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
        offered=sum(slate.offer is not None for slate in slates),
    )


class _ExperimentMail(NamedTuple):
    """A mail to a customer, as the part of an experiment that they are in has it."""

    mail: CustomerMail
    assigned: AssignedVariant | None
    moment: int  # at which it is sent, seconds since 1970
    groups: CustomerGroups  # theirs, where they may be used


def _due_mails(
    export: SlateExport, current: CurrentModel, recipients: Sequence[ExportRecipient]
) -> list[_ExperimentMail]:
    """Return the mails to those recipients for whom one is due."""
    rules = rules_in_force(current.rules, export.began)
    mails = [_mail(export, rules, current, recipient) for recipient in recipients]
    is_occasion = export.options.mailing is not None
    return [one for one in mails if one and (one.mail.occasion or not is_occasion)]


def _recipient_slates(
    export: SlateExport, current: CurrentModel, mails: Sequence[_ExperimentMail]
) -> list[RecipientSlate]:
    """Return the slate of each mail, in their order."""
    if export.options.mailing is None:
        requests = [
            CustomerRequest(one.mail.customer_id, one.mail.ordinary, one.mail.update)
            for one in mails
        ]
        slates = current.recommender.recommend_each(requests)
        return [
            RecipientSlate(one.mail.customer_id, slate, assigned=one.assigned)
            for one, slate in zip(mails, slates, strict=True)
        ]
    # Few of all customers are due, and no slate is computed for the others.
    return [
        RecipientSlate(one.mail.customer_id, one.mail.slate, one.mail.occasion, one.assigned)
        for one in mails
    ]


def _with_offers(
    export: SlateExport,
    current: CurrentModel,
    mails: Sequence[_ExperimentMail],
    slates: Sequence[RecipientSlate],
) -> list[RecipientSlate]:
    """Return the slates with the offers beside them; codes are given for slates with a row."""
    customers = []
    for one, slate in zip(mails, slates, strict=True):
        has_row = len(slate.slate.slots) > 0 or export.options.layout is Layout.WIDE
        offers = _find_offers(current, one) if has_row else ()
        customers.append(OfferedCustomer(slate.customer_id, offers))
    options = export.options
    offers_of = find_slate_offers(
        export.store or "",
        customers,
        time=export.began,
        locale=options.locale,
        language=language_of(options.locale, options.wording),
    )
    return [replace(slate, offer=offer) for slate, offer in zip(slates, offers_of, strict=True)]


def _find_offers(current: CurrentModel, one: _ExperimentMail) -> Sequence[ShopOffer]:
    situation = OfferSituation(
        placement=EMAIL_PLACEMENT,
        moment=one.moment,
        is_known=False,  # the model tells
        groups=one.groups,
        occasion=one.mail.mailing.kind if one.mail.occasion else None,
        of_variant=one.assigned.variant.offers if one.assigned else frozenset(),
    )
    return current.find_offers(one.mail.customer_id, one.mail.update, situation)


def _mail(
    export: SlateExport,
    rules: tuple[ShopRule, ...],
    current: CurrentModel,
    recipient: ExportRecipient,
) -> _ExperimentMail | None:
    """Return the mail to a recipient, None where the experiment that they are in shows none.

    `rules`: in force by the clock.
    """
    options, customer_id = export.options, recipient.customer_id
    update = current.update_of(customer_id)
    # As in the service: rules begin and end by the clock, unless the recipient names a moment.
    rules = rules if recipient.as_of is None else current.rules
    moment = export.began if recipient.as_of is None else recipient.as_of
    groups = current.find_groups(customer_id, update)
    assigned = current.find_assigned(customer_id, EMAIL_PLACEMENT, moment, groups)
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
        groups=groups,
    )
    mail = CustomerMail(
        current.recommender,
        MAILINGS[options.mailing or MailKind.NEWSLETTER],
        customer_id,
        request,
        update,
        current.facts_for(customer_id, update, recipient.order_id, recipient.as_of),
        current.shown_items(customer_id, update),
    )
    return _ExperimentMail(mail, assigned, moment, groups)
