#include "control/serving/admission.h"

#include "core/methods.h"

namespace orchion::control::serving {

using base::Code;

namespace {

base::Result<std::string_view> bearer_of(const std::optional<std::string>& authorization) {
  if (!authorization) {
    return base::fail(Code::kUnauthenticated,
                      "this needs a token: send it as 'Authorization: Bearer TOKEN'; the server printed where the "
                      "admin's is kept");
  }
  const std::string_view value = *authorization;
  if (value.size() <= 7 || !(value.starts_with("Bearer ") || value.starts_with("bearer "))) {
    return base::fail(Code::kUnauthenticated, "the Authorization header is not of the form 'Bearer TOKEN'");
  }
  return value.substr(7);
}

base::Result<std::string> check_permission(Authenticator& authenticator,
                                           const google::protobuf::MethodDescriptor& method, std::string identity) {
  const auto permission = core::permission_of(method);
  if (permission.empty()) {
    return base::fail(Code::kPermissionDenied, method.full_name() + " names no permission, so nobody may call it");
  }
  RETURN_IF_ERROR(authenticator.allowed(identity, permission));
  return identity;
}

}  // namespace

base::Result<std::string> admit(Authenticator& authenticator, const google::protobuf::MethodDescriptor& method,
                                const std::optional<std::string>& authorization) {
  if (core::permission_of(method) == "public") return std::string();
  ASSIGN_OR_RETURN(const auto bearer, bearer_of(authorization));
  ASSIGN_OR_RETURN(auto identity, authenticator.authenticate(bearer));
  return check_permission(authenticator, method, std::move(identity));
}

base::Result<std::string> admit_certificate(Authenticator& authenticator,
                                            const google::protobuf::MethodDescriptor& method,
                                            const std::string& certificate) {
  if (core::permission_of(method) == "public") return std::string();
  if (certificate.empty()) {
    return base::fail(Code::kUnauthenticated,
                      "this needs the certificate of a node: join with the line that `orchion node invite` prints");
  }
  ASSIGN_OR_RETURN(auto identity, authenticator.authenticate_certificate(certificate));
  return check_permission(authenticator, method, std::move(identity));
}

}  // namespace orchion::control::serving
