"""Documents of a given size: repeated fields and nested fragments."""


def repeat_field(field: str, times: int) -> str:
    """Return a query that repeats the field."""
    return "{ " + f"{field} " * times + "}"


def nest_fragments(field: str, levels: int) -> str:
    """Return a query whose fragments double the field at each level."""
    bomb = [f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels)]
    return " ".join(["{ ...f0 }", *bomb, f"fragment f{levels} on Query {{ {field} }}"])
