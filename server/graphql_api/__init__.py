"""GraphQL over HTTP, server-sent events and WebSockets, with the response cache."""
