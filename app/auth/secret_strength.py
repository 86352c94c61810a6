"""The strength of a password or key. Pure."""

import math
import re
import string

#: Bits of entropy at which a secret cannot be guessed, however many attempts there are.
STRONG = 128
# A strong secret has at least so many different characters.
_DIFFERENT = 10
_ALPHABETS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_HEXADECIMAL = set(string.hexdigits)
# A placeholder consists of _WORDS and contains one of _ASKS.
_ASKS = re.compile("(?:change|replace)(?:me|this|it)|your|my")
_WORDS = re.compile(
    "(?:please|change|replace|me|this|it|your|my|with|an?|very|super|own|secure|strong|random"
    "|api|password|key|token|secret|here|now)+[0-9]*"
)


def is_blank(secret: str) -> bool:
    r"""Whether the secret has no visible character.

    >>> is_blank(" \u200b\t"), is_blank("pass")
    (True, False)
    """
    return not any(letter.isprintable() and not letter.isspace() for letter in secret)


def is_placeholder(secret: str) -> bool:
    """Whether this is what documentation has in place of a secret.

    >>> [is_placeholder(text) for text in ("changeme", "Replace-Me!", "your-secure-password")]
    [True, True, True]
    >>> is_placeholder("pass")
    False
    """
    words = re.sub("[^a-z0-9]", "", secret.lower())
    return bool(_WORDS.fullmatch(words) and _ASKS.search(words))


def is_strong(secret: str) -> bool:
    """Whether the secret has STRONG bits of entropy if it is as random as it looks.

    >>> is_strong("7d865e959b2466918c9863afca942d0f"), is_strong("a" * 99), is_strong("pass")
    (True, False, False)
    """
    letters = set(secret)
    if letters <= _HEXADECIMAL:
        alphabet = 16
    else:
        alphabet = sum(len(each) for each in _ALPHABETS if letters & set(each)) or 1
    return len(letters) >= _DIFFERENT and len(secret) * math.log2(alphabet) >= STRONG
