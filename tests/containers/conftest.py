"""Podman, and containers with the gateway."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.container import Container
from tests.support.podman import Podman


@pytest.fixture(scope="session")
def podman() -> Podman:
    """The Podman that has the image."""
    folder = os.environ.get("TEST_CONTAINERS")
    if not folder:
        pytest.skip("containers cannot run here; run scripts/container test as root")
    return Podman(Path(folder))


@pytest.fixture
def start_container(podman: Podman, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Starts a container as scripts/container does; its volumes go with the test."""
    with ExitStack() as stack:

        def start(*options: str, **variables: str) -> Container:
            container = Container(podman, tmp_path)
            stack.callback(container.remove)
            container.start(*options, **variables)
            return container

        yield start


@pytest.fixture(scope="module")
def _shared(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    container = Container(podman, tmp_path_factory.mktemp("container"))
    try:
        container.start()
        yield container
    finally:
        container.remove()


@pytest.fixture
def container(_shared: Container) -> Container:
    """A container that the tests of a file share."""
    return _shared
