#pragma once

// Which request headers an operation heeds, as the contract's options say, and what becomes of the others. Private to
// this folder.

#include <google/protobuf/descriptor.h>

#include "base/error.h"
#include "control/serving/route_table.h"

namespace orchion::control::serving {

// The handler compares If-Match with the object's revision.
bool heeds_if_match(const google::protobuf::MethodDescriptor& method);

// The handler does a call with the same Idempotency-Key once.
bool heeds_idempotency_key(const google::protobuf::MethodDescriptor& method);

// What a call came with, whatever its value.
struct SentHeaders {
  bool if_match = false;
  bool idempotency_key = false;
};

// A write must not be done as if its caller had set no condition: kInvalidArgument for an If-Match that the write does
// not heed, and for an Idempotency-Key that a POST does not remember. A PUT or DELETE is the same when it is repeated,
// so it may come with a key. Reads, and what has no route, are never refused.
base::Result<> check_headers(const google::protobuf::MethodDescriptor& method, SentHeaders sent);

// The stream goes on after Last-Event-ID.
bool resumes(const Route& route);

// The answer is one object, whose revision is its ETag.
bool answers_etag(const Route& route);

}  // namespace orchion::control::serving
