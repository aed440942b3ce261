"""The counting job as Faust's documentation teaches it: the yardstick of hub/bench/spine.py, run by Faust's own worker.

A codec over fastavro, registered by name; models that name it as their serializer; a table with its changelog; an agent
that counts and sends for each event; `app.main()`. Where the documentation leaves a choice, the cheaper one stands:
the table in memory, no web server, and a codec of ten lines where python-schema-registry-client's copies every record.
"""

import json
import os
import signal
import struct
import sys
from dataclasses import asdict, dataclass
from datetime import date
from io import BytesIO
from typing import Any

import faust
from fastavro import schemaless_reader, schemaless_writer
from faust.serializers import codecs

from hub.bench.watch import Watch
from hub.contracts.schemas import registry


class Avro(codecs.Codec):
    """One schema in Confluent framing."""

    def __init__(self, name: str) -> None:
        super().__init__()
        locked = registry().latest[name]
        self._schema = registry().parsed(locked.id)
        self._frame = struct.pack(">bI", 0, locked.id)

    def _loads(self, s: bytes) -> Any:
        body = BytesIO(s)
        body.seek(len(self._frame))
        return schemaless_reader(body, self._schema, None)

    def _dumps(self, s: Any) -> bytes:
        out = BytesIO()
        out.write(self._frame)
        schemaless_writer(out, self._schema, s)
        return out.getvalue()


codecs.register("registration", Avro("RegistrationSubmitted"))
codecs.register("receipt", Avro("ReceiptIssued"))


class Registration(faust.Record, serializer="registration"):
    """What arrives."""

    record_id: str
    version: int
    provider: str
    status: str
    pc4: str
    due_date: date
    requested_on: date
    insurer: str
    indicated_minutes: int
    protocol: str
    partus_assistance: bool


class Receipt(faust.Record, serializer="receipt"):
    """What follows from it."""

    recipient: str
    record_id: str
    version: int
    outcome: str
    code: str
    pointer: str = ""
    message_nl: str = ""
    message_en: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What the program is told on stdin. The clock runs from the `warm`-th event to the last."""

    brokers: str
    user: str
    password: str
    name: str
    source: str
    target: str
    events: int
    warm: int
    folder: str


def create_app(task: Task) -> faust.App:
    """The program."""
    app = faust.App(
        task.name,
        broker=f"kafka://{task.brokers}",
        broker_credentials=faust.SASLCredentials(username=task.user, password=task.password, mechanism="SCRAM-SHA-512"),
        topic_partitions=1,
        web_enabled=False,
        datadir=task.folder,
    )
    registrations = app.topic(task.source, value_type=Registration)
    receipts = app.topic(task.target, value_type=Receipt)
    counts = app.Table("counts", default=int)

    @app.agent(registrations)
    async def count(stream: Any) -> None:
        handled, watch = 0, Watch()
        async for event in stream.events():
            registration, said, handled = event.value, event.headers, handled + 1
            counts[registration.record_id] += 1
            tenant = said["ce_hubtenant"].decode()
            place = f"{event.message.partition}/{event.message.offset}/0"
            await receipts.send(
                key=event.key,
                value=Receipt(
                    recipient=tenant,
                    record_id=registration.record_id,
                    version=counts[registration.record_id],
                    outcome="accepted",
                    code="applied",
                ),
                timestamp=event.message.timestamp,
                headers={
                    "ce_specversion": b"1.0",
                    "ce_id": f"g1/counting/{place}".encode(),
                    "ce_source": said["ce_source"],
                    "ce_type": b"nl.kraamzorg.receipt-issued.v1",
                    "ce_time": said["ce_time"],
                    "ce_hubpos": place.encode(),
                    "ce_hubsrc": said["ce_hubsrc"],
                    "ce_hubdest": f"out.receipts.{tenant}".encode(),
                    "ce_sequence": str(handled).encode(),
                },
            )
            if handled == task.warm:
                watch = Watch()
            elif handled == task.events:
                await app.producer.flush()
                run = watch.run(task.events - task.warm)
                print(json.dumps(asdict(run)), file=sys.__stdout__, flush=True)  # the parent reads it
                os.kill(os.getpid(), signal.SIGTERM)

    return app


if __name__ == "__main__":  # `… worker`, with the task on stdin
    create_app(Task(**json.load(sys.stdin))).main()
