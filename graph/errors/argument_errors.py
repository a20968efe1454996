"""Errors of arguments: each names the argument, input field, variable and path.

Values are printed in GraphQL notation. graphql-core reports the location only, and prints variables as Python does. Errors
are described after it has found them, so a valid request costs nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLSchema,
    ObjectValueNode,
    OperationDefinitionNode,
    VariableNode,
)

from graph.decoded_items import STEP, restore_path
from graph.errors.argument_uses import ArgumentUse, ArgumentUses, index_arguments, join_fields
from graph.errors.printed_values import print_value

VARIABLE = re.compile(r"Variable '\$(?P<name>\w+)' has invalid value(?: at (?P<path>\S+))?: ", re.ASCII)
"""Beginning of the message of an invalid variable."""
FOUND = re.compile(r"(?P<words>cannot represent[^:]* value|[Ff]ound): .*", re.DOTALL)
"""End of a message that prints a value."""
ENUM = re.compile(r"does not exist in '(?P<name>\w+)' enum|Enum '(?P<named>\w+)' cannot represent", re.ASCII)
"""Part of a message about a value that an enum lacks."""
NOT_NULL = "not to be None."
MAX_REASON_LENGTH = 1_000
"""Characters of a message that are searched and shown, as many as an error message has.

A message repeats names and enum values of any length. The patterns need a time that is quadratic in the length of a text.
"""
MISSING_ARGUMENT = re.compile(r"^Argument '[^']*\((?P<name>\w+):\)'", re.ASCII)


class ArgumentError(GraphQLError):
    """Error of an argument that was found before execution.

    Its path leads to the field with the argument.
    """


def describe_invalid_arguments(
    tree: DocumentNode, errors: Sequence[GraphQLError], shown_schema: GraphQLSchema | None
) -> list[GraphQLError]:
    """Return the validation errors of a document, with those of arguments as ArgumentError.

    With `shown_schema`, the errors of enums list the allowed values.
    """
    uses = index_arguments(tree)
    return [_describe_literal(error, uses, shown_schema) for error in errors]


def describe_invalid_variables(
    tree: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
    errors: Iterable[GraphQLError],
    shown_schema: GraphQLSchema | None,
) -> list[GraphQLError]:
    """Return the errors of an execution, with those of variables as ArgumentError.

    The variables are the decoded ones, to which the paths in the errors refer. With `shown_schema`, the errors of enums list
    the allowed values.
    """
    uses = index_arguments(tree, operation)
    return [
        _describe_variable(error, match, uses, variables, shown_schema)
        if error.path is None and (match := VARIABLE.match(error.message))
        else _describe_missing_variable(error, uses)
        for error in errors
    ]


def with_variable(error: GraphQLError) -> GraphQLError:
    """Return a resolver's error with the variable that supplied the argument it names, if any."""
    details = error.extensions or {}
    node = error.nodes[0] if error.nodes else None
    if "argument" not in details or not isinstance(node, FieldNode):
        return error
    value = next((each.value for each in node.arguments or () if each.name.value == details["argument"]), None)
    if isinstance(value, ObjectValueNode):
        value = next((each.value for each in value.fields if each.name.value == details.get("field")), None)
    if isinstance(value, VariableNode):
        error.extensions = {**details, "variable": value.name.value}
    return error


def _describe_literal(error: GraphQLError, uses: ArgumentUses, shown_schema: GraphQLSchema | None) -> GraphQLError:
    if not error.nodes:
        return error
    nodes = [uses.take_original(node) if node.loc is None else node for node in error.nodes]
    use = uses.find(nodes[0])
    if use is None:
        return error
    if use.argument is None and isinstance(nodes[0], FieldNode | DirectiveNode):
        missing = MISSING_ARGUMENT.match(error.message)
        if missing is None:
            return error
        use = ArgumentUse(missing["name"], "", None, use.path)
    details = _details(use, "GRAPHQL_VALIDATION_FAILED", error)
    message = _with_enum_values(_in_graphql_words(error.message), shown_schema)
    return ArgumentError(message, nodes, path=use.path or None, extensions=details)


def _describe_variable(
    error: GraphQLError,
    match: re.Match[str],
    uses: ArgumentUses,
    variables: Mapping[str, Any],
    shown_schema: GraphQLSchema | None,
) -> GraphQLError:
    name, path = match["name"], match["path"] or ""
    use = uses.by_variable.get(name) or ArgumentUse(None, "", name, ())
    shown = print_value(_value_at(variables.get(name), path))
    reason = error.message[match.end() : match.end() + MAX_REASON_LENGTH]
    reason = _with_enum_values(_in_graphql_words(reason, shown), shown_schema)
    below = restore_path(variables.get(name), path).removeprefix(".")
    message = f"Variable '${name}' has invalid value{f' at {below}' if below else ''}: {reason}"
    use = ArgumentUse(use.argument, join_fields(use.field, below), name, use.path)
    return ArgumentError(message, error.nodes, path=use.path or None, extensions=_details(use, "BAD_USER_INPUT", error))


def _describe_missing_variable(error: GraphQLError, uses: ArgumentUses) -> GraphQLError:
    """Describe an argument whose nullable variable is null.

    The executor reports it at the argument's value.
    """
    use = uses.find(error.nodes[0]) if error.path and error.nodes else None
    if use is None or use.argument is None:
        return error
    details = _details(use, "BAD_USER_INPUT", error)
    return GraphQLError(_in_graphql_words(error.message), error.nodes, path=error.path, extensions=details)


def _details(use: ArgumentUse, code: str, error: GraphQLError) -> dict[str, Any]:
    named = {"argument": use.argument, "field": use.field or None, "variable": use.variable}
    return {
        "code": code,
        **(error.extensions or {}),
        **{key: value for key, value in named.items() if value is not None},
    }


def _in_graphql_words(message: str, shown: str | None = None) -> str:
    """Return a message of graphql-core in GraphQL notation.

    Python's `None` is replaced, and the value is printed as `shown`.
    """
    if message.endswith(NOT_NULL):
        return f"{message.removesuffix(NOT_NULL)}not to be null."
    if shown is None:
        return message
    return FOUND.sub(lambda found: f"{found['words']}: {shown}.", message)


def _with_enum_values(message: str, schema: GraphQLSchema | None) -> str:
    """Return the message, with the values of the enum if it is about one."""
    if schema is None or (match := ENUM.search(message)) is None:
        return message
    enum = schema.get_type(match["name"] or match["named"])
    return f"{message} Allowed values: {', '.join(enum.values)}." if isinstance(enum, GraphQLEnumType) else message


def _value_at(value: object, path: str) -> object:
    """Return the value at a path such as `.prices[0].price`.

    A single value stands for a list of one.
    """
    for name, index in STEP.findall(path):
        match value:
            case dict() if name:
                value = value.get(name)
            case list() if index and int(index) < len(value):
                value = value[int(index)]
            case _:
                return value
    return value
