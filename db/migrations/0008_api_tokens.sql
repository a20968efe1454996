-- depends: 0007_batch_changes

-- API tokens and their scopes. A token is identified by its public part; only a digest of the secret is stored.

CREATE TABLE api_tokens (
    id            text CONSTRAINT api_tokens_pkey PRIMARY KEY,
    name          text NOT NULL,
    scopes        text[] NOT NULL CONSTRAINT api_tokens_scopes_known
                  CHECK (scopes <@ ARRAY['read', 'upload', 'admin'] AND cardinality(scopes) > 0),
    secret_sha256 bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz
);

COMMENT ON TABLE api_tokens IS 'Tokens that callers are known by';
COMMENT ON COLUMN api_tokens.name IS 'Whose token it is; tokens of one name are one uploader';
COMMENT ON COLUMN api_tokens.secret_sha256 IS 'SHA-256 of the whole token';
COMMENT ON COLUMN api_tokens.last_used_at IS 'To within some ten minutes; null while it was not used';
