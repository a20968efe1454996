"""Authentication and access control: API tokens, OpenID Connect tokens, same-host callers."""
