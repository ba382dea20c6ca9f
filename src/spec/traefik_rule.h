#pragma once

// Rules of Traefik's routers, as its labels have them. Pure.
// Source: https://doc.traefik.io/traefik/v2.11/routing/routers/#rule

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::spec {

// One way to fit a rule.
struct TraefikMatch {
  std::string host;  // lower case; empty: any
  std::string path;  // empty: all
  bool exact = false;

  auto operator<=>(const TraefikMatch&) const = default;
};

// Host(`a`), Path(`/p`) and PathPrefix(`/p`), several arguments each, joined by &&, || and brackets. In the rule's
// order, each match once. kInvalidArgument says what isn't understood, and what is.
base::Result<std::vector<TraefikMatch>> parse_traefik_rule(std::string_view rule);

}  // namespace orchion::spec
