#pragma once

// Vouches for the hosts of HTTP routes.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/auth/authority_folder.h"

namespace orchion::control::auth {

// A key and its certificate in the folder "route-authority" of the server's data folder; the nodes' authority is
// another, so that who trusts routes trusts no more than that. One executor.
class RouteAuthority {
 public:
  // Blocks, as open_authority().
  static base::Result<RouteAuthority> open(const std::filesystem::path& data_folder, const std::string& cluster_id,
                                           base::WallTime now);

  const std::string& certificate() const { return authority_.certificate; }  // PEM

  // A certificate for these hosts with its key, PEM, good for ninety days: the same until less than a third of them is
  // left. It is kept in this process alone; the next one makes its own. Computes for less than a millisecond.
  base::Result<std::string> certificate_for(const std::vector<std::string>& hosts, base::WallTime now);

 private:
  struct Issued {
    std::string pem;
    base::WallTime renewal;
  };

  explicit RouteAuthority(Authority authority) : authority_(std::move(authority)) {}
  base::Result<std::string> issue(const std::vector<std::string>& hosts, base::WallTime now, base::WallTime end) const;

  Authority authority_;
  std::map<std::vector<std::string>, Issued> issued_;
};

}  // namespace orchion::control::auth
