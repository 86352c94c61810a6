"""What the gateway starts with: read once by gunicorn's master, and inherited by its workers."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.auth.users import Users
from app.auth.users_file import load_users
from app.cli.environment import build_environment, left_by_session
from app.cli.locator import Claude, locate
from app.cli.model_api import base_url
from app.cli.root_check import REFUSES_ROOT, refuses_root
from app.foreign_settings import hints_for
from app.logs import secrets_in
from app.runs.launcher.client import Capacity, generation
from app.setting_sources import Origin
from app.settings import Settings, load_with_origins

# A network with a shorter prefix holds millions of clients: 0.0.0.0/1 and 128.0.0.0/1 are all.
_SHORTEST_PREFIX = 8


@dataclass(frozen=True)
class Startup:
    """The settings, and what follows from them. Workers agree on it until the next reload.

    `environment` is the CLI's. `generation` differs after each change of code, CLI, environment
    or capacity (`app.runs.launcher.client`). `origins` are where the settings were given.
    """

    settings: Settings
    environment: Mapping[str, str]
    claude: Claude
    users: Users
    capacity: Capacity
    generation: str
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @classmethod
    def load(cls, environ: Mapping[str, str], env_file: Path) -> "Startup":
        """Read the settings and find the CLI. Raises ConfigurationError and OSError."""
        settings, origins = load_with_origins(environ, env_file)
        environment = build_environment(environ, settings.environment)
        if settings.direct_models:
            # Only checked here: a worker could not report it.
            base_url(environment)
        state = str(settings.state_dir)
        users = load_users(state, settings.auth_user, settings.api_keys, settings.shared_jobs)
        claude = locate(settings.claude_path, environment)
        capacity = Capacity(
            settings.max_jobs,
            settings.queue_size,
            settings.min_free_disk,
            settings.runs_memory,
            settings.own_turns,
        )
        code = generation(claude.path, environment, capacity)
        return cls(settings, environment, claude, users, capacity, code, origins)

    def secrets(self) -> list[str]:
        """What no line of the log may contain."""
        basic = f"{self.settings.auth_user}:{self.settings.auth_password}"
        return [
            self.settings.auth_password,
            self.settings.claude_access_token,
            # As HTTP Basic sends them.
            base64.b64encode(basic.encode()).decode(),
            *(secret for key in self.settings.api_keys for secret in key.secrets),
            *secrets_in(self.environment),
        ]

    def _has_direct_credentials(self) -> bool:
        """Whether the direct backend has a key, or may look for a token."""
        return bool(self.environment.get("ANTHROPIC_API_KEY")) or self.settings.direct_subscription

    def warnings(self, environ: Mapping[str, str]) -> Iterator[str]:
        """What makes every job fail, or may surprise an operator, in the gateway's `environ`."""
        networks = self.settings.forwarded_allow_ips
        if any(network.prefixlen < _SHORTEST_PREFIX for network in networks):
            yield (
                "FORWARDED_ALLOW_IPS lets every client choose its own address: each can evade"
                " AUTH_MAX_FAILURES, or lock another one out; list only your proxies"
            )
        # The environment may be that of many programs: there, such a name is no error.
        foreign = hints_for(environ)
        for name, hint in foreign.items():
            yield f"the variable {name} has no effect here: {hint}"
        environ = {name: text for name, text in environ.items() if name not in foreign}
        if refuses_root(self.environment, self.settings):
            yield f"the gateway runs as root: {REFUSES_ROOT}"
        if self.settings.direct_models and not self._has_direct_credentials():
            yield (
                "DIRECT_MODELS names models, and there is no key for them: set ANTHROPIC_API_KEY"
            )
        if self.settings.claude_access_token and not self.settings.direct_subscription:
            yield (
                "CLAUDE_ACCESS_TOKEN has no effect without DIRECT_SUBSCRIPTION=true; read"
                " docs/direct.md first"
            )
        if self.settings.direct_subscription and len(self.settings.api_keys) > 1:
            yield (
                "DIRECT_SUBSCRIPTION is on, and API_KEYS has several keys: a subscription is for"
                " its owner's own use alone (docs/direct.md)"
            )
        if left := left_by_session(environ, self.settings.environment):
            yield (
                "jobs do not get these variables, which a Claude Code session has left (put one"
                f" that is meant for jobs into .env): {', '.join(left)}"
            )
