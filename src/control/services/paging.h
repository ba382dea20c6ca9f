#pragma once

// Pages of lists, as in AIP-158 (https://google.aip.dev/158).

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "control/store/view.h"

namespace orchion::control::services {

constexpr int kPageSizeDefault = 1000;
constexpr int kPageSizeMax = 10000;

// The name after which a page begins, how many objects it may hold, and of which stack they are: a list of one stack
// costs by what is in it. Tokens are opaque to clients.
struct Page {
  std::optional<store::ObjectName> after;
  std::size_t size = kPageSizeDefault;
  std::string stack = {};  // empty: of all
};
base::Result<Page> parse_page(int page_size, const std::string& page_token);
std::string page_token_after(const store::ObjectName& last);

// Copies of those objects of `table` that `keep` lets pass, in the order of their names. Fills `next_token` where
// there are more.
template <class T, class Keep>
std::vector<std::shared_ptr<const T>> page_of(const store::ObjectTable<T>& table, const Page& page, Keep keep,
                                              std::string& next_token) {
  std::vector<std::shared_ptr<const T>> result;
  const store::ObjectName first{page.stack, ""};
  auto it = page.after && first < *page.after ? table.all().upper_bound(*page.after) : table.all().lower_bound(first);
  const store::ObjectName* last = nullptr;
  for (; it != table.all().end() && (page.stack.empty() || it->first.stack == page.stack); ++it) {
    if (!keep(*it->second)) continue;
    if (result.size() == page.size) {
      next_token = page_token_after(*last);
      break;
    }
    last = &it->first;
    result.push_back(it->second);
  }
  return result;
}

}  // namespace orchion::control::services
