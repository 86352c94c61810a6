// Shows openapi.json with Redoc.
"use strict";

Redoc.init("openapi.json", {}, document.getElementById("page"));
