"""One run of each SQL section about changes of the tree in steps."""

from collections.abc import Awaitable, Callable, Mapping

from db.administration import moves
from db.administration.moves import RecordKind
from db.connection import Connection
from tests.support.sections.world import APPLIED, CNAAA, MONTH, RIGHT

MOVE_RUNS: Mapping[str, Callable[[Connection], Awaitable[object]]] = {
    "moves.clear_tree_change": moves.clear_tree_change,
    "moves.delete_tree_change": lambda c: moves.delete_tree_change(c, 1),
    "moves.find_tree_change": moves.find_tree_change,
    "moves.delete_moved_months": lambda c: moves.delete_moved_months(c, [MONTH]),
    "moves.get_snapshot": moves.get_snapshot,
    "moves.has_deleted_archive": moves.has_deleted_archive,
    "moves.has_tree_change": moves.has_tree_change,
    "moves.insert_moved_batch": lambda c: moves.insert_moved_batch(c, APPLIED),
    "moves.insert_moved_month": lambda c: moves.insert_moved_month(c, MONTH),
    "moves.insert_moved_record": lambda c: moves.insert_moved_record(c, RecordKind.TOTALS, MONTH, b"rows"),
    "moves.insert_tree_change": lambda c: moves.insert_tree_change(c, [CNAAA], [RIGHT]),
    "moves.disable_lock_timeout": moves.disable_lock_timeout,
    "moves.list_moved_records": lambda c: moves.list_moved_records(
        c, RecordKind.TOTALS, MONTH, snapshot="1:1:", is_visible=False, after=0, limit=10
    ),
    "moves.list_recorded_months": moves.list_recorded_months,
    "moves.list_stale_months": moves.list_stale_months,
    "moves.lock_tree_change": moves.lock_tree_change,
    "moves.lock_tree_change_session": moves.lock_tree_change_session,
    "moves.try_lock_tree_change": moves.try_lock_tree_change,
    "moves.unlock_tree_change_session": moves.unlock_tree_change_session,
}
