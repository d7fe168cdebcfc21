"""Calls of Regulars, and a queue of events that survives a restart."""

from regulars_client.call import Call
from regulars_client.client import AsyncClient, Client
from regulars_client.delivery import Delivery
from regulars_client.errors import NoAnswerError, QueueFullError, RegularsError, ServiceError
from regulars_client.event_queue import EventQueue, RefusedEvent
from regulars_client.retry import Retry

__all__ = [
    "AsyncClient",
    "Call",
    "Client",
    "Delivery",
    "EventQueue",
    "NoAnswerError",
    "QueueFullError",
    "RefusedEvent",
    "RegularsError",
    "Retry",
    "ServiceError",
]
