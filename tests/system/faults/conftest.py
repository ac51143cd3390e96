from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import make_url

from tests import servers
from tests.system.postgresql import Server, own_server
from tests.system.proxy import Proxy, between
from tests.system.scene import Scene, scene, settings_for


@dataclass
class FarAway:
    """A service whose PostgreSQL is reached over a network, both of which a test may break."""

    scene: Scene
    server: Server
    network: Proxy


@pytest.fixture(scope="module")
def far_away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarAway]:
    """Started once for all faults of a file; each leaves it as it was."""
    with (
        own_server() as server,
        servers.database(server.url, "phasegate") as url,
        between(url) as network,
        scene(
            settings_for(tmp_path_factory.mktemp("far away"), network.url, answer_seconds=4, task_seconds=8),
            straight_to=url,
        ) as it,
    ):
        assert make_url(url).host is None  # by its socket file, so that only the service takes the network
        yield FarAway(it, server, network)
