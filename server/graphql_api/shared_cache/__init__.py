"""Second level of the response cache, shared by servers in Redis or Valkey."""
