#pragma once

#include <map>
#include <set>
#include <string>

#include "spec/context.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// The names of one kind.
struct NameMap {
  std::map<std::string, std::string> labels;  // what the file calls it → what it is called here
  std::set<std::string> taken;                // the latter
};

// Names become parts of host names here, which know fewer characters than Compose: `db_data` is called `db-data`.
struct StackNames {
  NameMap services, networks, volumes;

  // Renames everything in the manifest. A service keeps the file's name as an alias: programs go on asking for it.
  void apply(v1::StackSpec& spec) const;
  void apply(std::vector<BuildSpec>& builds) const;
};

// The nearest name that is one here.
std::string as_label(std::string_view name);

// Adds the entry's name, with a warning where it changes and a problem where it can't.
void settle_name(const Node::Entry& entry, NameMap& names, LoadContext& context);

void add_alias(v1::NetworkAttachment& attachment, const std::string& alias);

}  // namespace orchion::spec
