"""Error of a sketch that cannot be read.

It is here because `encoding.py` needs numpy, and most processes do not.
"""


class UnreadableSketch(Exception):
    """Bytes that are no sketch.

    Attributes:
        number: Position of the sketch among those that were decoded.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"sketch {number} is damaged")
        self.number = number
