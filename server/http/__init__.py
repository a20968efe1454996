"""HTTP ground floor: errors, content negotiation, request parameters, multipart forms, body limits, CSRF."""
