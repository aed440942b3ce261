"""docker-compose.yml and Dockerfile hold together: checked as text, since not every machine has an engine."""

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from hub.console.settings import ConsoleSettings
from hub.contracts import catalogue, redis_access, tables
from hub.local.valkey import Valkey, ValkeyUser
from hub.settings import Settings
from hub.streams.read_model import COUNTS, LIVE, STATUS
from hub.streams.worker import PRINCIPALS, ROLES, STOP_S

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
WORKERS = {name: service for name, service in OURS.items() if name in ROLES}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that deploy/make_secrets.py makes for the committed tables."""
    folder = tmp_path_factory.mktemp("deploy") / "secrets"
    runpy.run_path(str(ROOT / "deploy" / "make_secrets.py"))["make"](ROOT / "deploy" / "tables.json", folder)
    return folder


def test_every_role_has_a_service_of_its_own_and_no_service_has_two_roles() -> None:
    """One principal per role."""
    assert set(WORKERS) == set(ROLES)
    assert all(service["command"] == ["run", "--role", name] for name, service in WORKERS.items())
    assert SERVICES["console"]["command"] == ["run", "--role", "console"]


def test_every_image_is_pinned_to_an_exact_version() -> None:
    """A tag that moves is another program tomorrow."""
    froms = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    for image in [service["image"] for service in SERVICES.values()] + froms:
        assert re.search(r":\d+\.\d+\.\d+(-[a-z]+)*$", image), image


def test_ports_are_published_on_loopback_alone() -> None:
    """The console knows no users and the tenants' listener here has no TLS."""
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_every_service_that_stays_says_whether_it_is_well() -> None:
    """Only the one that makes topics ends."""
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"topics"}


def test_no_worker_is_killed_while_it_still_stops_in_order() -> None:
    """And has some seconds left to end by itself when that takes too long."""
    for name, service in WORKERS.items():
        assert float(service["stop_grace_period"].removesuffix("s")) >= STOP_S + 10, name


def test_nothing_starts_before_what_it_needs() -> None:
    """A condition names what the other service can fulfil; workers wait for topics, topics for the broker."""
    for name, service in SERVICES.items():
        for other, needs in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other == "topics" else "service_healthy"
            assert needs["condition"] == expected, (name, other)
    assert all("topics" in service["depends_on"] for service in WORKERS.values())
    assert set(SERVICES["topics"]["depends_on"]) == {"kafka"}
    assert "valkey" in WORKERS["read-model"]["depends_on"]


def test_our_containers_have_no_rights_that_they_do_not_need() -> None:
    """Nothing to write, nothing to become."""
    for service in OURS.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER \d+$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)


def test_every_file_that_is_mounted_exists_once_passwords_are_made(secrets: Path) -> None:
    """Secrets by the script, the rest from the clone."""
    named = [Path(row["file"]) for row in COMPOSE["secrets"].values()]
    named += [Path(path) for service in SERVICES.values() for path in service.get("env_file", ())]
    assert {path.name for path in named} == {path.name for path in secrets.iterdir()}
    assert {path.parent for path in named} == {Path("deploy/secrets")}
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    for service in SERVICES.values():
        for source in (mount.split(":")[0] for mount in service.get("volumes", ())):
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert "/deploy/secrets/" in ignored


def test_every_worker_holds_the_password_of_its_own_role_alone(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the settings that the service itself will read."""
    for name, service in WORKERS.items():
        mounted = service["environment"]["HUB_CREDENTIALS_FILE"]
        assert mounted == f"/run/secrets/{name}"
        assert service["secrets"] == [
            name,
            *{"webhooks": ["webhook_endpoints"], "signing": ["signing_key"]}.get(name, []),
        ]
        for key, value in service["environment"].items():
            monkeypatch.setenv(key, value)
        path = secrets / Path(COMPOSE["secrets"][name]["file"]).name
        settings = Settings(credentials_file=path)
        assert settings.password(PRINCIPALS[name])
        assert json.loads(path.read_text("utf-8")).keys() == {PRINCIPALS[name]}
        assert settings.bootstrap_servers == "kafka:9092" and settings.health_port == 8081


def test_topics_are_made_with_a_password_for_every_principal(secrets: Path) -> None:
    """So that `hub topics apply` finds none missing."""
    reference = tables.load(ROOT / "deploy" / "tables.json")
    held = json.loads((secrets / "topics.json").read_text("utf-8"))
    assert set(held) == {"admin", *catalogue.principals(reference)}
    assert held["admin"] == (secrets / "kafka-admin.txt").read_text("utf-8")
    assert set(PRINCIPALS.values()) <= set(held)


def test_the_console_watches_every_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through its own settings, on the port that the workers listen on."""
    for key, value in SERVICES["console"]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = ConsoleSettings()
    assert settings.workers == {name: f"http://{name}:8081" for name in ROLES}
    assert "127.0.0.1" in settings.allowed_hosts and settings.port == 8080


def test_the_images_lock_is_a_part_of_the_projects_lock() -> None:
    """What is tested is what is shipped, and no tool for tests is."""
    pins = {
        name: set(re.findall(r"^[a-z0-9][a-z0-9._-]*==\S+", (ROOT / name).read_text("utf-8"), re.M))
        for name in ("requirements.lock", "requirements-image.lock")
    }
    assert pins["requirements-image.lock"] < pins["requirements.lock"]
    assert not any(pin.startswith(("pytest==", "playwright==", "mypy==")) for pin in pins["requirements-image.lock"])


def test_neither_lock_names_a_place() -> None:
    """Files are named by hash; where they come from is the installer's own setting."""
    for name in ("requirements.lock", "requirements-image.lock"):
        assert "://" not in (ROOT / name).read_text("utf-8")


@pytest.fixture(scope="module")
def guarded() -> Any:
    """A Valkey with the users of the deployment."""
    users = [ValkeyUser(role, f"password-of-{role}-for-a-test", rules) for role, rules in redis_access.RULES.items()]
    with Valkey(users) as valkey:
        yield valkey


def test_the_read_models_user_writes_it_and_nothing_else(guarded: Valkey) -> None:
    """Also inside the script."""
    with redis.Redis.from_url(guarded.url("read-model")) as writer:
        assert writer.eval("return redis.call('HSET', 'hub:status', 'KSV-01', '{}')", 0) == 1
        assert writer.xadd(LIVE, {"kind": "status"})
        refused: tuple[Callable[[], object], ...] = (
            lambda: writer.hset("other", "a", "b"),
            lambda: writer.delete(STATUS),
            lambda: writer.keys("*"),
        )
        for forbidden in refused:
            with pytest.raises(redis.exceptions.NoPermissionError):
                forbidden()


def test_the_consoles_user_reads_it_and_writes_nothing(guarded: Valkey) -> None:
    """A page that is taken over can lie to its readers, but not to the read model."""
    with redis.Redis.from_url(guarded.url("console")) as reader:
        assert reader.hgetall(STATUS) is not None and reader.hgetall(COUNTS) is not None
        assert reader.xread({LIVE: "0-0"}, count=1) is not None
        refused: tuple[Callable[[], object], ...] = (
            lambda: reader.hset(STATUS, "KSV-01", "{}"),
            lambda: reader.xadd(LIVE, {"kind": "status"}),
            lambda: reader.hgetall("other"),
            lambda: reader.delete(STATUS),
        )
        for forbidden in refused:
            with pytest.raises(redis.exceptions.NoPermissionError):
                forbidden()
