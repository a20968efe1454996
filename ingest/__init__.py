"""A batch from bytes to rows: read, check, convert, aggregate, apply; the tree's and the rates' files; compaction.

The arithmetic happens here, for a whole batch at once and outside the database (polars for text, numpy for numbers);
the database only takes the finished rows. Nothing here knows GraphQL or HTTP.
"""
