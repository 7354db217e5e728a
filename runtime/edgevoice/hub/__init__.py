"""Many live sources in an asyncio program: the hub, its sources, and the threads that compute."""

from edgevoice.hub.hub import Hub
from edgevoice.hub.source import Source

__all__ = ["Hub", "Source"]
