#pragma once

// Errors as RFC 9457 problems: the one place where codes become HTTP statuses.

#include "base/error.h"
#include "wire/http.h"

namespace orchion::control::serving {

int http_status(base::Code code);

// {type, title, status, detail, code, errors: [{pointer, detail}]}
std::string problem_document(const base::Error& error, int status);

wire::Response problem(const base::Error& error);
wire::Response problem(const base::Error& error, int status);

}  // namespace orchion::control::serving
