"""HTTP basics: errors, headers, content negotiation, parameters, forms, body limits, CSRF."""
