// Shows openapi.json with Swagger UI.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const setColors = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setColors);
setColors();

loadDocument().then((openapi) => SwaggerUIBundle({
    spec: openapi,
    dom_id: "#page",
    deepLinking: true,
    // The schemas are with the operations that use them.
    defaultModelsExpandDepth: 0,
    requestInterceptor: (request) => {
        if (request.headers["Content-Type"] === "application/json") {
            // The page fills in an example for a prompt as text/plain. JSON has all fields itself.
            request.url = request.url.replace(/\/chat\?.*/, "/chat");
        }
        return request;
    },
    // It would send the document to a service on the internet.
    validatorUrl: null,
})).catch(showFailure);
