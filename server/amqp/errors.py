"""Errors of the message broker, with a code and a message for the operator."""


class BrokerError(Exception):
    """The broker or its queue cannot be used.

    Attributes:
        code: Code for programs.
        is_temporary: Whether another attempt may succeed without a change by the operator.
    """

    def __init__(self, code: str, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.is_temporary = is_temporary


class BrokerLost(BrokerError):
    """The connection to the broker was lost. The broker delivers unacknowledged messages again."""

    def __init__(self, reason: str) -> None:
        super().__init__("BROKER_UNAVAILABLE", f"the connection to the broker was lost ({reason})", is_temporary=True)
