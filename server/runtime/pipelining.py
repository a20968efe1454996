"""Back-pressure for pipelined requests (RFC 9112, section 9.3.2).

Uvicorn pauses reading while requests wait for the response to an earlier one, but resumes with each response and with each part
of a body. A client that sends more requests than it is answered could thereby fill the memory.
"""

import asyncio
from collections.abc import Sized

from uvicorn.protocols.http.flow_control import FlowControl


class PipelinedFlowControl(FlowControl):
    """Flow control that resumes reading only when no request waits."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Resume reading, unless requests wait."""
        if not self._pipeline:
            super().resume_reading()
