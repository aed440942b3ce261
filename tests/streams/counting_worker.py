"""A worker of the counting job in a process of its own, so that it can be killed. Ends when its log is folded."""

import asyncio
import sys
from dataclasses import replace

from hub.bench.counting import fold
from hub.streams.app import attach, create_app
from hub.streams.carrier import Carrier
from hub.streams.connection import Connection
from hub.streams.reader import Reader
from tests.contracts.world import REFERENCE
from tests.streams.conftest import LIMITS


def counting_reader(stem: str, connection: Connection) -> Reader:
    """A reader of the counting job on the topics of one test."""
    job = Carrier(
        fold(f"{stem}.log", f"{stem}.facts", f"{stem}.snapshots"), REFERENCE, 2, connection, f"hub.region.{stem}"
    )
    return Reader(job, connection)


async def fold_everything(*readers: Reader) -> None:
    """Run readers in one app until none has a backlog."""
    app = create_app()
    for reader in readers:
        attach(app, reader)
    await app.start()
    try:
        while True:
            await asyncio.sleep(0.05)
            backlogs = [await reader.backlog() for reader in readers]
            if any(reader.ready for reader in readers) and not any(backlogs):
                break
    finally:
        await app.stop()


def main() -> None:
    stem, bootstrap, user, password, *named = sys.argv[1:]
    connection = Connection(bootstrap, user, password, limits=LIMITS)
    if named:  # and a session that outlasts every test
        patient = LIMITS.model_copy(update={"session_timeout_ms": 600_000})
        connection = replace(connection, instance=named[0], limits=patient)

    async def work() -> None:
        await fold_everything(counting_reader(stem, connection))

    asyncio.run(work())


if __name__ == "__main__":
    main()
