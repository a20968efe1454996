-- depends: 0010_audit

-- Statistics read the observations that are valid on some days. Nearly all are valid for at most a month, so only those that
-- began shortly before must be read, and with this small index the few others.

CREATE INDEX prices_long_lane_day_idx ON prices (origin, destination, first_day) WHERE last_day - first_day > 31;
