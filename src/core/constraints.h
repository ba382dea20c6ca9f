#pragma once

// Where a service may run, by what is known of a node: "node.labels.gpu!=none".

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "v1/objects.pb.h"

namespace orchion::core {

// node.name, node.id, node.hostname, node.role, node.labels.KEY, node.platform.os, node.platform.arch.
struct Constraint {
  enum class Subject { kName, kId, kHostname, kRole, kLabel, kOperatingSystem, kArchitecture };
  Subject subject = Subject::kName;
  std::string label;  // of kLabel
  bool equal = true;  // "==" or "!="
  std::string value;

  bool operator==(const Constraint&) const = default;
};

// Blanks around the parts don't count. Anything else is kInvalidArgument and says what can be written.
base::Result<Constraint> parse_constraint(std::string_view text);

// A node without the label differs from every value. Hostnames, roles and platforms are compared without regard to
// case. A node's role is its label "orchion.role", "worker" where it has none; "x86_64" and "aarch64" are the
// platforms that images call "amd64" and "arm64".
bool matches(const Constraint& constraint, const v1::Node& node);

// What the user gave the node and what its agent brought along; the user's win.
std::map<std::string, std::string> node_labels(const v1::Node& node);

}  // namespace orchion::core
