"""Makes a password for every principal of the tables, and hands each service of docker-compose.yml only its own.

    .venv/bin/python deploy/make_secrets.py deploy/tables.json deploy/secrets

A folder that exists is left alone: new passwords would lock out whoever holds the old ones.
"""

import json
import secrets
import sys
from pathlib import Path

from hub.contracts import catalogue, redis_access, tables
from hub.contracts.signing import new_key
from hub.errors import HubError
from hub.streams.worker import PRINCIPALS

ADMIN = "admin"
READABLE = 0o644


def make(tables_file: Path, folder: Path) -> None:
    """Write the folder. FileExistsError when it is there, ContractError when the tables contradict themselves."""
    reference = tables.load(tables_file)
    folder.mkdir(mode=0o700)
    kafka = {name: secrets.token_urlsafe(32) for name in (ADMIN, *catalogue.principals(reference))}
    redis = {role: secrets.token_urlsafe(32) for role in redis_access.RULES}
    put(folder / "kafka-admin.txt", kafka[ADMIN])
    put(folder / "topics.json", json.dumps(kafka, indent=1))
    for role, principal in PRINCIPALS.items():
        put(folder / f"{role}.json", json.dumps({principal: kafka[principal]}))
    put(folder / "webhook-endpoints.json", "[]\n")
    public = new_key(folder / "signing-key.pem")
    (folder / "signing-key.pem").chmod(READABLE)
    sys.stdout.write(f"public key of fair-share statements, for all who read them: {public}\n")
    lines = [
        "user default off",
        *(f"user {role} on >{redis[role]} {rules}" for role, rules in redis_access.RULES.items()),
    ]
    put(folder / "valkey.acl", "\n".join(lines) + "\n")
    for role, password in redis.items():
        put(folder / f"{role}.env", f"REDIS_URL=redis://{role}:{password}@valkey:6379/0\n")


def put(path: Path, text: str) -> None:
    """Services run under ids of their own and read these through read-only mounts; the folder keeps others out."""
    path.write_text(text, "utf-8")
    path.chmod(READABLE)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_secrets.py TABLES.json FOLDER")
    try:
        make(Path(sys.argv[1]), Path(sys.argv[2]))
    except FileExistsError as problem:
        sys.exit(
            f"{problem.filename} is there already and is left alone: new passwords would lock out who holds the old"
        )
    except (OSError, HubError) as problem:
        sys.exit(f"found no tables that can be used, or no place for {sys.argv[2]}: {problem}")
