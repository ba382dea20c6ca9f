#pragma once

#include <map>
#include <string>

#include "base/error.h"

namespace orchion::cli {

// JSON as the API prints it, with the values of environments and whatever is named as a token, a key, a password or a
// secret's data replaced: servers redact these themselves, this is for those that don't know better. Text that isn't
// JSON comes back empty. Pure.
std::string redacted(const std::string& json);

// Writes the files, by name, as a tar.gz, 0600.
base::Result<> write_bundle(const std::string& file, const std::map<std::string, std::string>& files);

}  // namespace orchion::cli
