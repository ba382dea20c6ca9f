#include "control/services/paging.h"

#include <gtest/gtest.h>

#include "control/store/object_store.h"

namespace orchion::control::services {
namespace {

TEST(Paging, ATokenLeadsBackToItsPlace) {
  const auto page = parse_page(2, page_token_after({"shop", "docker.io/library/nginx:1"}));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->after, (store::ObjectName{"shop", "docker.io/library/nginx:1"}));
  EXPECT_EQ(page->size, 2u);
}

TEST(Paging, SizesAreBounded) {
  EXPECT_EQ(parse_page(0, "")->size, static_cast<std::size_t>(kPageSizeDefault));
  EXPECT_EQ(parse_page(1 << 30, "")->size, static_cast<std::size_t>(kPageSizeMax));
  const auto negative = parse_page(-1, "");
  ASSERT_FALSE(negative.has_value());
  EXPECT_EQ(negative.error().fields.at(0).pointer, "/pageSize");
}

TEST(Paging, ForeignTokensAreRefused) {
  for (const char* token : {"x", "6", "616", "6162", "zz"}) {
    const auto page = parse_page(1, token);
    ASSERT_FALSE(page.has_value()) << token;
    EXPECT_EQ(page.error().message, "pageToken is not one that a list returned: begin without it");
    EXPECT_EQ(page.error().fields.at(0).pointer, "/pageToken");
  }
}

TEST(Paging, AListOfOneStackIsAllOfItAndNoMore) {
  store::View view;
  store::Commit commit{1, {}};
  store::Transaction transaction;
  for (const char* stack : {"a", "shop", "z"})
    for (const char* name : {"1", "2", "3"}) {
      v1::Task task;
      task.mutable_meta()->set_stack(stack);
      task.mutable_meta()->set_name(name);
      store::create(transaction, task);
    }
  for (auto& operation : transaction.operations) commit.changes.push_back({operation.key, operation.value});
  ASSERT_TRUE(view.apply(commit));
  std::vector<std::string> found;
  Page page{std::nullopt, 2, "shop"};
  for (std::string token = "-"; !token.empty();) {
    token.clear();
    std::size_t looked_at = 0;
    const auto keep = [&](const v1::Task&) { return ++looked_at > 0; };
    for (const auto& task : page_of(view.tasks(), page, keep, token))
      found.push_back(task->meta().stack() + "/" + task->meta().name());
    EXPECT_LE(looked_at, 3u) << "what is in other stacks costs nothing";
    if (!token.empty()) page.after = parse_page(2, token)->after;
  }
  EXPECT_EQ(found, (std::vector<std::string>{"shop/1", "shop/2", "shop/3"}));
  page = {store::ObjectName{"a", "2"}, 10, ""};
  std::string none;
  EXPECT_EQ(page_of(view.tasks(), page, [](const v1::Task&) { return true; }, none).size(), 7u);
  EXPECT_EQ(none, "");
}

}  // namespace
}  // namespace orchion::control::services
