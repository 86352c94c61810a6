"""How deep a JSON value may lie. Pure; standard library alone, as the supervisor imports this.

Python reads JSON of nearly a thousand levels, and then cannot write what it has read.
"""

#: Levels of lists and objects in one value.
DEEPEST = 200


def is_deep(value: object, deepest: int = DEEPEST) -> bool:
    """Whether a value out of JSON has more levels than these.

    >>> is_deep({"a": [[1]]}, 3), is_deep({"a": [[1]]}, 2)
    (False, True)
    """
    level = [value]
    for _ in range(deepest):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        level = below
    return any(isinstance(each, dict | list) for each in level)
