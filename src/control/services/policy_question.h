#pragma once

#include "control/store/view.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Whether one may talk to another as everything stands: networks, published ports and policies. kInvalidArgument,
// kNotFound: nobody is meant by what was asked. Names of hosts are looked up by nobody.
base::Result<v1::TestNetworkPoliciesResponse> answer_policy_question(const store::View& view,
                                                                     const v1::TestNetworkPoliciesRequest& request);

}  // namespace orchion::control::services
