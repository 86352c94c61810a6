// Shows openapi.json with Redoc.
"use strict";

// The styles that it makes while it runs are allowed by this page's nonce alone.
const nonce = document.querySelector("script[nonce]").nonce;

Redoc.init("openapi.json", { nonce }, document.getElementById("page"));
