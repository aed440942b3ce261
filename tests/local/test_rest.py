"""Rest is asked of every hop, and of nobody's word."""

import base64
import json
from pathlib import Path

from pydantic import SecretStr

from hub.contracts import catalogue
from hub.local.rest import POSITIONS, hops, shown_positions
from hub.local.simulator import national
from hub.settings import Settings
from hub.streams import read_model, worker

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"


def test_rest_is_asked_of_every_hop_of_the_workers(tmp_path: Path) -> None:
    """A hop that nobody asks could be behind while all the others rest. The read model answers through Redis."""
    reference = national.build(1, 60).reference
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(dict.fromkeys(catalogue.principals(reference), "x")), "utf-8")
    receivers = [{"name": name, "url": "https://desk.example/", "secrets": [SECRET]} for name in ("desk", "bell")]
    (webhooks := tmp_path / "webhooks.json").write_text(json.dumps(receivers), "utf-8")
    settings = Settings(
        credentials_file=keys, redis_url=SecretStr("redis://127.0.0.1:1/0"), webhooks_file=webhooks
    )  # fmt: skip
    jobs = [job for role in worker.ROLES if role != "clock" for job in worker.jobs_of(role, settings, reference)]
    assert {job.group: set(job.topics) for job in jobs if job.name != "read-model"} == {
        group: set(taken) for group, taken in hops(reference, {job.group for job in jobs}).items()
    }
    assert [set(job.topics) for job in jobs if job.name == "read-model"] == [{catalogue.REGION_FACTS}]
    assert POSITIONS == read_model.POSITIONS


def test_the_read_model_of_a_later_generation_is_asked_for_its_own_positions() -> None:
    """Else it would count as at rest while it shows nothing of what came since."""
    held = {"facts/0": "9", "facts/1": "7", "region/KSV-01": "3/0", "g2/facts/1": "4", "g2/region/KSV-01": "1/0"}
    assert shown_positions(held, 1) == {("region-facts", 0): 9, ("region-facts", 1): 7}
    assert shown_positions(held, 2) == {("region-facts.g2", 1): 4}
