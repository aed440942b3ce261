"""What the catalogue looks like to others: AsyncAPI 3, and the tables of topics and types for people.

Everything here is derived; tests compare the committed copies (docs/asyncapi.yaml, README.md) with a fresh rendering.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from hub import __version__
from hub.contracts.catalogue import (
    IDENTITY_LOG,
    INPUTS,
    LINKS,
    MATCH_SNAPSHOTS,
    OUTPUTS,
    REGION_FACTS,
    REGION_LOG,
    REGION_SNAPSHOTS,
    Audience,
    Topic,
    topics_for,
)
from hub.contracts.codec import type_name
from hub.contracts.schemas import registry
from hub.domain.codes import SENTENCES
from hub.domain.reference import Reference, Region, Role, Tenant

PLACEHOLDER = Reference(
    version=0,
    log_partitions=4,
    regions=(Region("<region>", "<region>", 0),),  # type: ignore[arg-type]
    postcodes=(),
    tenants=tuple(Tenant(f"<{role.value}>", role) for role in Role),  # type: ignore[arg-type]
)
"""Tables with one tenant of each role, so that a rendering shows families instead of instances."""


TOPIC_MARKS = ("<!-- topics: rendered by `hub docs` -->", "<!-- topics end -->")
TYPE_MARKS = ("<!-- types: rendered by `hub docs` -->", "<!-- types end -->")


def rendered(root: Path) -> dict[Path, str]:
    """Every derived file of a checkout with the content that it must have."""
    readme = (root / "README.md").read_text("utf-8")
    readme = _between(_between(readme, TOPIC_MARKS, topic_table()), TYPE_MARKS, type_table())
    return {
        root / "README.md": readme,
        root / "docs" / "asyncapi.yaml": asyncapi(),
        root / "docs" / "codes.md": code_table(),
    }


def render_all(root: Path) -> None:
    """Write every derived file."""
    for path, text in rendered(root).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


def stale(root: Path) -> list[str]:
    """Derived files that are not what the catalogue gives."""
    return [
        str(path.relative_to(root))
        for path, text in rendered(root).items()
        if not path.exists() or path.read_text("utf-8") != text
    ]


def _between(text: str, marks: tuple[str, str], body: str) -> str:
    """`text` with what stands between two marks replaced; unchanged where the marks are missing."""
    start, end = (text.find(mark) for mark in marks)
    if start < 0 or end < 0:
        return text
    return text[: start + len(marks[0])] + "\n" + body + text[end:]


def code_table() -> str:
    """Markdown: every code that a receipt can carry, in both languages."""
    lines = [
        "# Codes of receipts",
        "",
        "Rendered by `hub docs` from hub/domain/codes.py.",
        "",
        "| code | English | Nederlands |",
        "|---|---|---|",
    ]
    lines += [f"| `{code}` | {sentence.en} | {sentence.nl} |" for code, sentence in SENTENCES.items()]
    return "\n".join(lines) + "\n"


def topic_table() -> str:
    """Markdown: one row for each family of topics."""
    families: dict[tuple[str, ...], list[str]] = {}
    for topic in topics_for(PLACEHOLDER):
        families.setdefault(_row(topic), []).append(topic.name)
    lines = ["| topic | partitions | key | kept | writers | readers | sensitivity |", "|---|---|---|---|---|---|---|"]
    for row, names in families.items():
        lines.append(f"| {'<br>'.join(f'`{n}`' for n in names)} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _row(topic: Topic) -> tuple[str, ...]:
    days = "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // 86_400_000} days"
    kept = f"newest per key, {days}" if topic.compacted else days
    writers, readers = (
        ", ".join(f"`{name}`" for name in names) for names in (topic.writers or (topic.owner,), topic.readers)
    )
    return (str(topic.partitions), f"`{topic.key}`", kept, writers, readers, topic.sensitivity)


def type_table() -> str:
    """Markdown: who may publish each type, where it goes, and who receives each fact."""
    lines = ["| input | who publishes | where it goes |", "|---|---|---|"]
    for row in INPUTS.values():
        goes = row.destination.value.replace("_", " ") + (", match" if row.identity_log else "")
        lines.append(f"| `{row.kind.__name__}` | {', '.join(row.writers)} | {goes} |")
    lines += ["", "| fact | topic | who receives it |", "|---|---|---|"]
    for out in OUTPUTS.values():
        if out.audience is not Audience.INTERNAL:
            topic = f"out.{out.topic}.<tenant>" if out.audience is Audience.TENANT else out.topic
            lines.append(f"| `{out.kind.__name__}` | `{topic}` | {', '.join(out.roles)} |")
    return "\n".join(lines) + "\n"


_BETWEEN_MACHINES = frozenset({REGION_LOG, REGION_FACTS, REGION_SNAPSHOTS, LINKS, IDENTITY_LOG, MATCH_SNAPSHOTS})
"""No tenant reads or writes these."""


def asyncapi() -> str:
    """AsyncAPI 3.0 of every topic that a tenant meets, with the Avro schemas as message payloads."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for topic in topics_for(PLACEHOLDER):
        if not topic.carries or topic.name in _BETWEEN_MACHINES:
            continue
        address = topic.name.replace("<", "{").replace(">", "}")
        name = topic.name.replace("<", "").replace(">", "").replace(".", "-")
        channels[name] = {
            "address": address,
            "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in topic.carries},
            "bindings": {
                "kafka": {"partitions": topic.partitions, "topicConfiguration": {"retention.ms": topic.retention_ms}}
            },
        }
        if parameters := re.findall(r"\{(.*?)\}", address):
            channels[name]["parameters"] = {role: {"description": f"Tenant with role {role}."} for role in parameters}
        inward = topic.name.startswith("inbox.")
        operations[f"{'receive' if inward else 'send'}-{name}"] = {
            "action": "receive" if inward else "send",
            "channel": {"$ref": f"#/channels/{name}"},
        }
        for kind in topic.carries:
            row = registry().latest[kind.__name__]
            messages[kind.__name__] = {
                "name": type_name(kind),
                "title": row.schema["doc"],
                "contentType": "application/vnd.apache.avro",
                "headers": _NO_HEADERS if kind in INPUTS else _HEADERS,
                "payload": {"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": row.schema},
                "bindings": {"kafka": {"schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent"}},
            }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Kraamzorg waitlist hub", "version": __version__, "license": {"name": "EUPL-1.2"}},
        "defaultContentType": "application/vnd.apache.avro",
        "channels": channels,
        "operations": operations,
        "components": {"messages": dict(sorted(messages.items()))},
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


_NO_HEADERS = {
    "type": "object",
    "description": "None is needed: the topic's name is the sender, and the hub writes an envelope of its own.",
}
_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "content-type": {"const": "application/vnd.apache.avro", "description": "On facts (CloudEvents, binary mode)."},
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string"},
        "ce_source": {"type": "string", "description": "urn:nld:oin:… or urn:nld:kvknr:… and the system"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_sequence": {"type": "string", "description": "On facts: counts from 1 per topic and region, without gaps."},
        "ce_hubregion": {"type": "string", "description": "On facts: the region that said it."},
    },
}
