"""Commands that tests run: `ratesgraph`, and programs of other ecosystems."""
