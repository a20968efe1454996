-- API tokens.

-- insert_token --
-- Adds a token.
INSERT INTO api_tokens (id, name, scopes, secret_sha256, expires_at)
VALUES (%(id)s, %(name)s, %(scopes)s, %(secret_sha256)s, %(expires_at)s)

-- find_tokens --
-- One row per ID whose token is neither revoked nor expired. Uses api_tokens_pkey.
SELECT id, name, scopes, secret_sha256, created_at, expires_at, revoked_at, last_used_at,
       extract(epoch FROM expires_at - clock_timestamp())::float AS seconds_left,
       last_used_at IS NULL OR last_used_at NOT BETWEEN clock_timestamp() - interval '10 minutes' AND clock_timestamp()
           AS is_use_due
FROM api_tokens
WHERE id = ANY(%(ids)s) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())

-- list_tokens --
-- One row per token, including revoked and expired ones, the oldest first.
SELECT id, name, scopes, secret_sha256, created_at, expires_at, revoked_at, last_used_at,
       extract(epoch FROM expires_at - clock_timestamp())::float AS seconds_left,
       last_used_at IS NULL OR last_used_at NOT BETWEEN clock_timestamp() - interval '10 minutes' AND clock_timestamp()
           AS is_use_due
FROM api_tokens
ORDER BY created_at, id

-- revoke_token --
-- One row: the name of the token, if it was not revoked before. Uses api_tokens_pkey.
UPDATE api_tokens
SET revoked_at = clock_timestamp()
WHERE id = %(id)s AND revoked_at IS NULL
RETURNING name

-- touch_tokens --
-- Records that these tokens were used, unless this was recorded within the last ten minutes. A later time than now comes from a
-- clock that was set back, and is corrected. Uses api_tokens_pkey.
UPDATE api_tokens
SET last_used_at = clock_timestamp()
WHERE id = ANY(%(ids)s)
  AND (last_used_at IS NULL OR last_used_at NOT BETWEEN clock_timestamp() - interval '10 minutes' AND clock_timestamp())
