// Shows openapi.json with Redoc.
"use strict";

loadDocument().then((openapi) => Redoc.init(
    openapi,
    {downloadUrls: [{title: "openapi.json", url: "openapi.json"}]},
    document.getElementById("page"),
)).catch(showFailure);
