"""The same columns by asyncua's own decoding: the plain path, and the oracle.

Used for every message that `decode` leaves alone, for values that were read or
republished, and for all of them with ``decoder: stock``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary

from edge_agent.sources.opcua.columns import NO_TIME, Columns, Published
from edge_agent.sources.opcua.ids import node_id

if TYPE_CHECKING:
    from collections.abc import Iterable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_US = 2**63 // 1000 - 1
_FAULT = ua.ObjectIds.ServiceFault_Encoding_DefaultBinary


def decode_stock(body: bytes) -> Published:
    """Decode a publish response with asyncua.

    Raises:
        ua.UaStatusCodeError: the server answered with a fault.
        Exception: the message is malformed (asyncua raises what it met).
    """
    head = Buffer(body)
    if nodeid_from_binary(head) == node_id(_FAULT):
        struct_from_binary(ua.ResponseHeader, head).ServiceResult.check()
    return published(struct_from_binary(ua.PublishResponse, Buffer(body)))


def published(response: ua.PublishResponse) -> Published:
    """Columns of a response that asyncua has decoded.

    Raises:
        ua.UaStatusCodeError: the server answered with a fault.
    """
    response.ResponseHeader.ServiceResult.check()
    result = response.Parameters
    return message(
        result.NotificationMessage, result.SubscriptionId, more=result.MoreNotifications
    )


def message(
    received: ua.NotificationMessage, subscription: int, *, more: bool = False
) -> Published:
    """Columns of a notification message, published or republished."""
    parts, status, others = [], None, 0
    for notification in received.NotificationData or ():
        if isinstance(notification, ua.DataChangeNotification):
            items = notification.MonitoredItems or ()
            parts.append(to_columns((i.ClientHandle, i.Value) for i in items))
        elif isinstance(notification, ua.StatusChangeNotification):
            status = int(notification.Status.value)
        else:
            others += 1
    return Published(
        int(subscription),
        int(received.SequenceNumber),
        _time(received.PublishTime),
        not received.NotificationData,
        bool(more),
        Columns.joined(parts),
        status,
        others,
    )


def to_columns(rows: Iterable[tuple[int, ua.DataValue]]) -> Columns:
    """Columns of data values with their handles."""
    texts: list[str] = []
    table: list[tuple[int, float, int, int, int, bool]] = []
    for handle, data in rows:
        value = scalar(data.Value)
        is_text = isinstance(value, str)
        if isinstance(value, str):
            texts.append(value)
            value = float(len(texts) - 1)
        status = 0 if data.StatusCode is None else int(data.StatusCode.value)
        source, server = _time(data.SourceTimestamp), _server_time(data)
        number = np.nan if value is None else value
        table.append((handle, number, status, source, server, is_text))
    if not table:
        return Columns.empty()
    handles, values, statuses, sources, servers, are_text = zip(*table, strict=True)
    return Columns(
        np.array(handles, np.uint32),
        np.array(values, np.float64),
        np.array(statuses, np.uint32),
        np.array(sources, np.int64),
        np.array(servers, np.int64),
        tuple(texts),
        np.array(are_text, bool) if texts else None,
    )


def scalar(variant: ua.Variant | None) -> float | str | None:
    """A number or text of a variant, None for anything that is neither."""
    value: Any = None if variant is None else variant.Value
    if isinstance(value, ua.LocalizedText):
        value = value.Text
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, datetime):
        return _microseconds(value) / 1e6
    return None


def _server_time(data: ua.DataValue) -> int:
    if data.SourcePicoseconds is not None:
        # asyncua 2.1.0 expects them behind the server time, Part 6 5.2.2.17 puts them
        # before it: what it takes for the server time is shifted by two bytes
        return NO_TIME
    return _time(data.ServerTimestamp)


def _time(stamp: datetime | None) -> int:
    micros = -1 if stamp is None else _microseconds(stamp)
    return micros * 1000 if 0 <= micros <= _LAST_US else NO_TIME


def _microseconds(stamp: datetime) -> int:
    return (_aware(stamp) - _EPOCH) // _MICROSECOND


def _aware(stamp: datetime) -> datetime:
    # asyncua gives aware dates when decoding; a server in this process may not
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
