#pragma once

// How an rpc is spoken over REST, read from the options of the contract. Pure.

#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/error.h"

namespace orchion::client {

struct RestRequest {
  std::string verb;
  std::string target;  // path and query, percent-encoded
  std::string body;    // JSON; empty for none
};

// The rpc of this full name ("orchion.v1.StackService.GetStack"); asserted to be in the contract.
const google::protobuf::MethodDescriptor& find_method(std::string_view full_name);

// Fills the route with the request's fields: those the path names, then the body, the rest as query parameters.
// kInvalidArgument where a field of the path is empty.
base::Result<RestRequest> make_rest_request(const google::protobuf::MethodDescriptor& method,
                                            const google::protobuf::Message& request);

// JSON as protobuf's mapping has it; unknown fields of a newer server are passed over.
base::Result<std::string> to_json(const google::protobuf::Message& message);
base::Result<> from_json(std::string_view json, google::protobuf::Message& message);

}  // namespace orchion::client
