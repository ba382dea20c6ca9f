#pragma once

// Certificates as values: PEM in, PEM out. All keys are EC P-256, all signatures SHA-256.

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace orchion::wire::tls {

// --- asking for one ---

// A certificate signing request for the key, signed with it.
base::Result<std::string> make_request(std::string_view key, const std::string& common_name);

// kInvalidArgument: it isn't one, its key is of another kind, or it isn't signed with that key.
struct Request {
  std::string common_name;
  std::string key_fingerprint;  // as keys.h says
};
base::Result<Request> read_request(std::string_view pem);

// --- issuing ---

enum class Role {
  kAuthority,  // signs others
  kServer,
  kClient,
};

struct CertificatePlan {
  Role role = Role::kClient;
  std::string common_name;
  std::vector<std::string> dns_names;  // subject alternative names
  std::vector<std::string> uris;
  base::WallTime not_before;  // in whole seconds
  base::WallTime not_after;
};

// Signed with its own key.
base::Result<std::string> make_authority(std::string_view key, const CertificatePlan& plan);

struct Issuer {
  std::string certificate;
  std::string key;
};
// For the key of `request`, whose names don't count: those of the plan do.
base::Result<std::string> issue(const Issuer& issuer, std::string_view request, const CertificatePlan& plan);

// --- reading ---

struct Certificate {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  base::WallTime not_before;
  base::WallTime not_after;
  std::string fingerprint;      // SHA-256 of all of it, lower-case hexadecimal
  std::string key_fingerprint;  // as keys.h says
};
base::Result<Certificate> read_certificate(std::string_view pem);

// Whether `authority` vouches for `certificate` in this role now. kUnauthenticated: no; kFailedPrecondition: it isn't
// valid yet, or no longer, at `now`.
base::Result<> verify(std::string_view certificate, std::string_view authority, Role role, base::WallTime now);

}  // namespace orchion::wire::tls
