#pragma once

#include <string>

#include "base/error.h"

namespace orchion::cli {

enum class OutputFormat { kTable, kWide, kJson, kYaml, kName };

// What -o may be, as its help shows it: "{table,wide,…}".
std::string output_formats_text();

// The word after -o. kInvalidArgument with the nearest one where it is none.
base::Result<OutputFormat> parse_output_format(const std::string& text);

}  // namespace orchion::cli
