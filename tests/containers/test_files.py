"""The files for containers: what judges find in them, and what they promise."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.master import GRACEFUL_TIMEOUT
from app.runs.end_processes import KILL_PATIENCE, TERM_PATIENCE
from app.settings import Settings
from tests.support.gateway import PASSWORD, ROOT
from tests.support.judges import documents, is_quiet, judge

pytestmark = pytest.mark.containers

KUBERNETES = ROOT / "deploy/kubernetes"
MANIFESTS = ["claims.yaml", "deployment.yaml", "service.yaml"]


def stop_patience() -> float:
    """The most seconds that the gateway takes to stop, with the default settings."""
    kill_grace = Settings.load({"AUTH_PASSWORD": PASSWORD}).kill_grace
    return GRACEFUL_TIMEOUT + kill_grace + TERM_PATIENCE + KILL_PATIENCE


def test_hadolint_finds_nothing() -> None:
    assert is_quiet(judge("hadolint", "Dockerfile"))


# --- compose.yml ---


def compose(**variables: str) -> dict[str, Any]:
    """The service, as compose understands it."""
    done = judge("docker-compose", "--file=compose.yml", "config", "--format=json", **variables)
    assert is_quiet(done)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_compose_has_no_objection() -> None:
    assert is_quiet(judge("docker-compose", "--file=compose.yml", "config", "--quiet"))


def test_compose_publishes_to_this_machine_alone() -> None:
    (port,) = compose(PORT="1234")["services"]["gateway"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "1234", 9876)


def test_compose_passes_secrets_by_file() -> None:
    found = compose(API_KEYS_FILE="/keys")
    assert found["services"]["gateway"]["environment"] == {
        "AUTH_PASSWORD_FILE": "/run/secrets/auth_password",
        "API_KEYS_FILE": "/run/secrets/api_keys",
        "ANTHROPIC_API_KEY_FILE": "",
    }
    files = {name: secret["file"] for name, secret in found["secrets"].items()}
    assert files == {
        "auth_password": str(ROOT / "secrets/auth_password"),
        "api_keys": "/keys",
        "anthropic_api_key": "/dev/null",
    }


def test_compose_waits_for_the_gateway_to_stop_and_does_not_start_it_for_ever() -> None:
    service = compose()["services"]["gateway"]
    assert service["restart"] == "on-failure:5"
    assert service["stop_grace_period"] == "1m0s"
    assert stop_patience() < 60


# --- deploy/kubernetes/ ---


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifests_fit_the_schema_of_kubernetes(name: str) -> None:
    assert is_quiet(judge("kubernetes-validate", "--strict", KUBERNETES / name))


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """The pod of the deployment."""
    (deployment,) = documents(KUBERNETES / "deployment.yaml")
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def test_the_kustomization_has_every_manifest_and_no_password() -> None:
    (kustomization,) = documents(KUBERNETES / "kustomization.yaml")
    assert kustomization["resources"] == MANIFESTS
    (secret,) = kustomization["secretGenerator"]
    assert secret["files"] == ["auth_password=secrets/auth_password"]
    assert "/deploy/kubernetes/secrets/" in (ROOT / ".gitignore").read_text("utf-8").split()


def test_the_pod_mounts_what_there_is(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    sources = {volume.pop("name"): volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: sources[mount["name"]] for mount in container["volumeMounts"]}
    claims = {each["metadata"]["name"] for each in documents(KUBERNETES / "claims.yaml")}
    assert {name.removeprefix("claudecode2api-") for name in claims} == {
        *("home", "state", "projects")
    }
    for path, kind in (
        ("/home/claude", "home"),
        ("/var/lib/claudecode2api", "state"),
        ("/projects", "projects"),
    ):
        claim = f"claudecode2api-{kind}"
        assert mounts[path] == {"persistentVolumeClaim": {"claimName": claim}}
        assert claim in claims
    (variable,) = container["env"]
    assert mounts[str(Path(variable["value"]).parent)]["secret"]["secretName"] == "claudecode2api"
    assert "/tmp" in mounts  # noqa: S108


def test_the_pod_has_time_to_stop_and_probes_whether_jobs_can_run(pod: dict[str, Any]) -> None:
    assert int(pod["terminationGracePeriodSeconds"]) > stop_patience()
    (container,) = pod["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] == "/ready"
    # A container that lives, but cannot run jobs, is not restarted: its jobs would end.
    assert "httpGet" not in container["livenessProbe"]


def test_the_pod_has_no_rights(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": "false",
        "readOnlyRootFilesystem": "true",
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] == "true"
    assert pod["automountServiceAccountToken"] == "false"
