"""Names that a class defines on itself and its instances, and the private ones among them."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from functools import cache


@cache
def names_of(class_: type) -> frozenset[str]:
    """Return the names that a class defines: in its body, by annotation, or on `self`."""
    names = {*vars(class_), *inspect.get_annotations(class_)}
    for member in vars(class_).values():
        functions = [member.fget, member.fset] if isinstance(member, property) else [member]
        for function in functions:
            # `inspect` fails for a whole class whose `__module__` names another module. Functions created at run time have
            # no source.
            if inspect.isfunction(function):
                with suppress(OSError):
                    names.update(assigned(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    return frozenset(names)


def assigned(tree: ast.AST) -> Iterator[str]:
    """Yield the names of attributes that are assigned to `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            yield node.attr


def is_self(node: ast.AST) -> bool:
    """Return whether an expression is `self`, `cls` or `super()`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def is_private(name: str) -> bool:
    """Return whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__") and name != "_"
