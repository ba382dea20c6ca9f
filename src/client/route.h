#pragma once

// From an rpc and its request to a REST request, by the contract's route options. Pure.

#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/error.h"

namespace orchion::client {

struct RestCall {
  std::string verb;
  std::string target;  // path and query, encoded
  std::string body;    // JSON; empty where the route has none
};

// `method` is a full name, "orchion.v1.StackService.GetStack"; it must have a route (asserted). Path fields that are
// empty are kInvalidArgument.
base::Result<RestCall> rest_call(std::string_view method, const google::protobuf::Message& request);

}  // namespace orchion::client
