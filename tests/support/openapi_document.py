"""Prints the OpenAPI document of a gateway with the default settings: python -m this."""

import json
import sys

from app.openapi.document import make_document
from tests.support.described import application

if __name__ == "__main__":
    json.dump(make_document(application()), sys.stdout)
