"""Lists that the executor completes in one step: of scalars, and of objects as columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


class JsonColumn(list[object]):
    """List of scalars in JSON form, which the executor returns as it is."""


@dataclass(frozen=True, slots=True)
class ColumnarList:
    """List of `length` objects, stored as one column of JSON values per field.

    The columns are keyed by the GraphQL name of the field. The fields are scalars without arguments. They contain null only
    where their types allow it.
    """

    length: int
    by_field: Mapping[str, Sequence[object]]

    def to_objects(self, type_name: str, selected: Iterable[tuple[str, str]]) -> list[dict[str, object]]:
        """Return the objects with the selected fields, pairs of response name and field name."""
        columns = {
            name: [type_name] * self.length if field == "__typename" else self.by_field[field]
            for name, field in selected
        }
        if len(columns) == 3:
            # Fast path for the most common selection of three fields; the literal halves the time.
            (a, b, c), values = columns, columns.values()
            return [{a: x, b: y, c: z} for x, y, z in zip(*values, strict=True)]
        entries: list[dict[str, object]] = [{} for _ in range(self.length)]
        for name, column in columns.items():
            for entry, value in zip(entries, column, strict=True):
                entry[name] = value
        return entries
