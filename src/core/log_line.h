#pragma once

// What a line of output says of itself.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "v1/control.pb.h"

namespace orchion::core {

// By the field "level" of a JSON object (or "severity", "lvl", "log.level"; a word, or a number as bunyan and pino
// write it), by "level=warn" of logfmt, by a word like "ERROR" or "[warn]" near the line's beginning, by klog's "E1122
// " or syslog's "<3>". Looks, and doesn't parse: takes about 50 ns. Unknown where there is nothing of the kind.
v1::LogLevel level_of(std::string_view line);

// "error", "warn", "WARNING", "crit"; nullopt: none.
std::optional<v1::LogLevel> level_of_word(std::string_view word);

struct JsonLine {
  std::string message;                        // its "message", "msg" or "log"
  std::map<std::string, std::string> fields;  // the others, those within others as "a.b"; what is no text as JSON
};

// nullopt: the line isn't a JSON object, or one that is nested deeper than 16.
std::optional<JsonLine> parse_json_line(std::string_view line);

// It is a JSON object, whose fields (the message's among them) have all these values.
bool has_fields(std::string_view line, const std::map<std::string, std::string>& wanted);

}  // namespace orchion::core
