"""Where a process says how it is."""

import socket

import pytest

from hub.errors import UsageError
from hub.settings import Settings
from hub.streams.health import serving


async def test_a_port_that_somebody_else_has_is_told_with_the_setting_to_mend() -> None:
    """Two workers on one machine were given the same one."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{port} .*Set HUB_HEALTH_PORT to a free port"):
            async with serving(Settings(health_port=port)):
                pass
