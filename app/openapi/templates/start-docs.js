// Shows openapi.json with Swagger UI.
"use strict";

SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#page",
    deepLinking: true,
    // It would send the document to a service on the internet.
    validatorUrl: null,
});
