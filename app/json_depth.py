"""The limit on the nesting depth of JSON. Pure; uses only the standard library.

Python parses JSON of nearly a thousand levels and then cannot serialize it. The supervisor imports
this module.
"""

#: The most levels of lists and objects in one value.
DEEPEST = 200
#: The most levels of a record, which may hold a value inside of others.
DEEPEST_RECORD = DEEPEST + 10


def is_deep(value: object, deepest: int = DEEPEST) -> bool:
    """Whether a parsed JSON value has more than `deepest` levels.

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
        if not below:
            return False
        level = below
    return any(isinstance(each, dict | list) for each in level)
