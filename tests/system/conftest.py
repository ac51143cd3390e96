from collections.abc import Iterator

import pytest

from tests import servers
from tests.system.house import House, house_on


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A whole service, started once for all tests of a file: one that nobody asks any more takes others' time."""
    folder = tmp_path_factory.mktemp("a house")
    if request.param == "sqlite":
        with house_on(f"sqlite:///{folder / 'phasegate.db'}", folder) as house:
            yield house
        return
    name = f"{request.getfixturevalue('database_name')}_house"
    with servers.database(request.getfixturevalue("postgres_url"), name) as url, house_on(url, folder) as house:
        yield house
