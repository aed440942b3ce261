"""Signing: each month's root as everybody was given it, signed on a topic that everybody reads.

The fold has no secret, so its root carries no signature; and a signature that only a renderer makes asks for trust in
the renderer. This relay reads no more than any tenant may, adds the signature of the region's key and nothing else.
A root never changes and Ed25519 draws no lot, so a repeat after a crash has the same bytes, headers included, and a
compacted topic may hold it last.
"""

from collections.abc import Iterator
from functools import partial

from aiokafka import ConsumerRecord, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.contracts.catalogue import REGION_SHARES, SIGNED_ROOTS
from hub.contracts.codec import decode, encode, type_name
from hub.contracts.signing import load_key, sign
from hub.domain.facts import RegionSharesStated, RootSigned
from hub.settings import Settings
from hub.streams.connection import Connection
from hub.streams.delivery import CONTENT_TYPE, delivered_id
from hub.streams.metrics import EVENTS
from hub.streams.producer import Record
from hub.streams.relay import Piece, Relay

_KEPT = ("ce_specversion", "ce_source", "ce_time", "ce_sequence", "ce_hubregion")


def relay(name: str, group: str, key: Ed25519PrivateKey, connection: Connection) -> Relay:
    """The relay from what every region stated to what its key signed."""
    return Relay(
        name=name,
        group=group,
        topics=(REGION_SHARES,),
        route=partial(route_to_signed, key=key),
        connection=connection,
        partitions=((REGION_SHARES, 1), (SIGNED_ROOTS, 1)),
    )


def route_to_signed(record: ConsumerRecord, key: Ed25519PrivateKey) -> Iterator[Piece]:
    """The signed root of one region and month, at the same key, time and sequence as what it signs."""
    stated = None if record.value is None else decode(record.value)
    if not isinstance(stated, RegionSharesStated):
        return
    headers = dict(record.headers)
    place = delivered_id(SIGNED_ROOTS, stated.region, int(headers["ce_sequence"]))
    told = [CONTENT_TYPE, *((header, headers[header]) for header in _KEPT)]
    told += [("ce_type", type_name(RootSigned).encode()), ("ce_id", place.encode())]
    EVENTS.labels("out", "signed").inc()
    yield Piece(
        0, TopicPartition(SIGNED_ROOTS, 0), Record(record.key, encode(sign(stated, key)), told, record.timestamp)
    )


def jobs(settings: Settings, group: str, connection: Connection) -> Iterator[Relay]:
    """One job where HUB_SIGNING_KEY_FILE is set, else none. UsageError: no Ed25519 key in that file."""
    if settings.signing_key_file is not None:
        yield relay("signing", group, load_key(settings.signing_key_file), connection)
