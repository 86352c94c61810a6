// Loads openapi.json for a page, with the address under which the browser reached the gateway.
"use strict";

async function loadDocument() {
    const response = await fetch("openapi.json");
    if (!response.ok) {
        throw new Error(`openapi.json: ${response.status}`);
    }
    const openapi = await response.json();
    const address = new URL(".", location).href.replace(/\/$/, "");
    openapi.servers = [{url: address}];
    // As in app/openapi/introduction.py.
    openapi.info.description = openapi.info.description.replaceAll("http://127.0.0.1:9876", address);
    return openapi;
}

function showFailure(error) {
    document.getElementById("page").textContent = `Cannot load the API's description. ${error}`;
}
