#pragma once

// What of Compose is supported, for people and for editors: from the tables of keys.h, which the loader obeys too.

#include <string>

namespace orchion::spec {

// The JSON Schema (2020-12) of the files that load() takes. What it refuses load() refuses; load() says more, and why.
std::string json_schema();

// Every key, as Markdown: a table for each kind of map.
std::string support_tables();

}  // namespace orchion::spec
