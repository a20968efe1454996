"""Mutations that change the region tree or revert a batch."""

ANSWER = "{ locations { key name parent { slug } } addedCount movedCount userErrors { item code message } }"


MOVE = f"mutation ($key: String!, $parent: String) {{ change: moveLocation(key: $key, parentSlug: $parent) {ANSWER} }}"


REVERT = """
mutation ($id: ID!) { revertBatch(id: $id) { batch { id status revertedAt } userErrors { field code message } } }
"""
