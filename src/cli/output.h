#pragma once

#include <functional>
#include <string>
#include <vector>

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"
#include "cli/context.h"

namespace orchion::cli {

// Columns of a terminal that the text takes, counted in code points.
std::size_t width_of(const std::string& text);

// The text as a cell of a table, also where a program wrote orders for a terminal: in one line, and not very long.
std::string one_line(const std::string& text);

// Columns as wide as their widest cell, two spaces between, no trailing blanks. The first row is the heading.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

// JSON text as block-style YAML.
base::Result<std::string> yaml_of(const std::string& json);

// "5s", "3m", "2h", "4d": how long ago, for tables.
std::string age_of(const google::protobuf::Timestamp& time, base::WallTime now);

struct Row {
  std::string name;                // for -o name
  std::vector<std::string> cells;  // for the table
  std::vector<std::string> wide;   // further cells for -o wide
};

// The table of them, line by line.
std::vector<std::string> table_lines(std::vector<std::string> heading, const std::vector<std::string>& wide_heading,
                                     const std::vector<Row>& rows, bool wide);

// Prints `rows` below `heading`, or only their names where -o name was given.
void print_rows(const Context& context, std::vector<std::string> heading, const std::vector<std::string>& wide_heading,
                const std::vector<Row>& rows);

// Not for people: the object is wanted as JSON or YAML, or fields of it.
bool wants_object(const Context& context);

// Prints one object as -o says: as it came where that is JSON, else (tables are for lists) as YAML.
int print_object(Context& context, const std::string& json);

// Prints each object of the list `key` of `json` by the user's template. False: no further page is wanted, since only
// the names of the fields were asked for.
base::Result<bool> print_items(const Context& context, const std::string& json, const std::string& key);

// Prints a list that came as one JSON object, as -o json, yaml or template= say.
int print_list(Context& context, const std::string& json, const std::string& key);

// Prints one object of an endless stream, each on a line of its own, or as a YAML document.
base::Result<> print_streamed(const Context& context, const std::string& json);

// A message as REST prints it.
std::string json_of(const google::protobuf::Message& message);

}  // namespace orchion::cli
