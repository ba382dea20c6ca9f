#pragma once

#include <string>

#include "base/error.h"
#include "cli/item_template.h"

namespace orchion::cli {

enum class OutputFormat { kTable, kWide, kJson, kYaml, kName, kTemplate };

struct Output {
  OutputFormat format = OutputFormat::kTable;
  ItemTemplate line;  // of kTemplate; empty: the names of the fields are asked for
};

// What -o may be, as its help shows it: "{table,wide,…}".
std::string output_formats_text();

// What stands after -o. kInvalidArgument with the nearest word where it is none, or with what is wrong with a template.
base::Result<Output> parse_output(const std::string& text);

}  // namespace orchion::cli
