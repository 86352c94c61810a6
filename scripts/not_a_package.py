"""The build backend of pyproject.toml, which refuses: the gateway runs from its checkout."""

import sys
from typing import NoReturn

_REFUSAL = (
    "claudecode2api is not installed by pip: it runs from its checkout."
    " Run ./install.sh there; or python3 -m venv venv,"
    " venv/bin/pip install -r requirements.txt and venv/bin/gunicorn"
)


def _refuse(*_: object, **__: object) -> NoReturn:
    sys.exit(_REFUSAL)


# All hooks of PEP 517 and PEP 660, whichever a tool calls first.
build_sdist = build_wheel = build_editable = _refuse
prepare_metadata_for_build_wheel = prepare_metadata_for_build_editable = _refuse
get_requires_for_build_wheel = get_requires_for_build_sdist = _refuse
get_requires_for_build_editable = _refuse
