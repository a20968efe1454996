"""Plan of a change of the region tree: the locations before and after it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from domain.locations import Location, TreeEntry, TreeMove


def plan_move(entries: Sequence[TreeEntry], tree: Sequence[Location]) -> TreeMove:
    """Return the locations before and after a valid change.

    New ones get the IDs -1, -2 and so on.
    """
    known = {location.key.lower(): location for location in tree}
    new = [entry for entry in entries if entry.key.lower() not in known]
    ids = {key: location.id for key, location in known.items()}
    ids.update((entry.key.lower(), -number) for number, entry in enumerate(new, start=1))
    parents = {entry.key.lower(): None if entry.parent_key is None else ids[entry.parent_key] for entry in entries}
    added = [Location(ids[entry.key.lower()], entry.kind, entry.key, entry.name or entry.key, None) for entry in new]
    after = [
        replace(location, parent_id=parents.get(location.key.lower(), location.parent_id))
        for location in (*tree, *added)
    ]
    return TreeMove(tree, after)


def with_ids(move: TreeMove, added: Mapping[int, int]) -> TreeMove:
    """Return the plan with the stored IDs of new locations.

    `added` maps their negative IDs in the plan to them.
    """
    after = [
        replace(
            location,
            id=added.get(location.id, location.id),
            parent_id=None if location.parent_id is None else added.get(location.parent_id, location.parent_id),
        )
        for location in move.after
    ]
    return TreeMove(move.before, after)
