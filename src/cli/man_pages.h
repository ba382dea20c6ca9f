#pragma once

#include <map>
#include <string>

#include "cli/context.h"

namespace CLI {
class App;
}

namespace orchion::cli {

// A page (roff, section 1) for `root` and each command below it, by file name: "orchion-node-ls.1". Pure.
std::map<std::string, std::string> man_pages(const CLI::App& root, const std::string& version);

// Writes them into `folder`, which is made; where that is empty the first goes to standard output.
int run_man(const Context& context, const CLI::App& root, const std::string& version, const std::string& folder);

}  // namespace orchion::cli
