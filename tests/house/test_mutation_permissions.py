"""A mutation that forgot its permission is open to everyone, and nothing else would notice."""

from strawberry.permission import BasePermission
from strawberry.types.base import StrawberryObjectDefinition

from graph.schema import schema


def test_every_mutation_declares_a_permission() -> None:
    mutation = schema.get_type_by_name("Mutation")
    assert isinstance(mutation, StrawberryObjectDefinition)
    assert mutation.fields
    open_to_all = [
        field.python_name
        for field in mutation.fields
        if not any(issubclass(permission, BasePermission) for permission in field.permission_classes)
    ]
    assert not open_to_all
