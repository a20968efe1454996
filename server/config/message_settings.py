"""Settings of the consumer of messages."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class MessageSettings(BaseSettings):
    """Part of `Settings` about the message broker."""

    amqp_url: SecretStr | None = Field(
        default=None,
        description="URL of RabbitMQ for `ratesgraph consume`, such as `amqp://user:password@host:5672/vhost`",
    )
    max_message_bytes: int = Field(default=256_000, ge=1_000, description="Maximum bytes of the body of one message")
    message_key_days: int = Field(
        default=7, ge=1, le=3_660, description="Days that message IDs are stored after their batch has ended"
    )
