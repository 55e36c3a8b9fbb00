/** Show the API of the server that this page comes from. Nothing is loaded from other hosts, so the validator is off. */
SwaggerUIBundle({ url: "../openapi.json", dom_id: "#api", validatorUrl: null, tryItOutEnabled: true });
