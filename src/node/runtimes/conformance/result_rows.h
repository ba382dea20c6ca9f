#pragma once

// Which conformance test proves which row of the table in docs/guides/runtimes.md.

#include <span>
#include <string_view>
#include <vector>

namespace orchion::node::runtimes {

struct ResultRow {
  std::string_view feature;
  std::vector<std::string_view> tests;
};

// In the table's order. Every conformance test is in exactly one.
std::span<const ResultRow> result_rows();

}  // namespace orchion::node::runtimes
