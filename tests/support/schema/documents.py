"""Documents of a given size: repeated fields, nested fragments."""


def repeat_field(field: str, times: int) -> str:
    """Return a query of the field, again and again."""
    return "{ " + f"{field} " * times + "}"


def nest_fragments(field: str, levels: int) -> str:
    """Return a query in which the field stands twice as often with each level of fragments."""
    bomb = [f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels)]
    return " ".join(["{ ...f0 }", *bomb, f"fragment f{levels} on Query {{ {field} }}"])
