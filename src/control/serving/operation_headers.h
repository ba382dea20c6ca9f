#pragma once

// Which request headers an operation heeds, for /openapi.json. Private to this folder.

#include <string_view>

#include "control/serving/route_table.h"

namespace orchion::control::serving {

// The handler compares If-Match with the object's revision.
bool heeds_if_match(const Route& route);

// The handler does a call with the same Idempotency-Key once. The other writes are the same when they are repeated.
bool heeds_idempotency_key(const Route& route);

// The stream goes on after Last-Event-ID.
bool resumes(const Route& route);

// The answer is one object, whose revision is its ETag.
bool answers_etag(const Route& route);

}  // namespace orchion::control::serving
