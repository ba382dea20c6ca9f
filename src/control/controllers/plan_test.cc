#include "control/controllers/plan.h"

#include <gtest/gtest.h>

namespace orchion::control::controllers {
namespace {

v1::Task task(int number, std::size_t bytes = 0) {
  v1::Task result;
  result.mutable_meta()->set_stack("shop");
  result.mutable_meta()->set_name("web." + std::to_string(number));
  result.mutable_meta()->set_uid("u" + std::to_string(number));
  result.mutable_spec()->set_placement_message(std::string(bytes, 'x'));
  return result;
}

TEST(Plan, UnitsShareTransactionsButAreNeverSplit) {
  std::vector<Unit> units;
  for (int i = 0; i < 100; ++i) units.push_back({{Verb::kCreate, task(2 * i)}, {Verb::kCreate, task(2 * i + 1)}});
  const auto transactions = to_transactions(units);
  std::size_t operations = 0;
  const std::size_t of_one_unit = to_transactions({units[0]})[0].operations.size();
  for (const auto& transaction : transactions) {
    EXPECT_LE(transaction.operations.size(), store::kOperationsMax);
    EXPECT_EQ(transaction.operations.size() % of_one_unit, 0u);
    operations += transaction.operations.size();
  }
  EXPECT_EQ(operations, 100 * of_one_unit);
  EXPECT_EQ(transactions.size(), (100 * of_one_unit + store::kOperationsMax - 1) / store::kOperationsMax);
}

TEST(Plan, BigObjectsAreSpread) {
  std::vector<Unit> units;
  for (int i = 0; i < 4; ++i) units.push_back({{Verb::kCreate, task(i, 300'000)}});
  EXPECT_EQ(to_transactions(units).size(), 4u);
}

TEST(Plan, NothingToDoIsNoTransaction) {
  EXPECT_TRUE(to_transactions({}).empty());
  EXPECT_TRUE(to_transactions({{}}).empty());
}

TEST(Plan, TheEarlierTimeToLookAgainCounts) {
  Plan plan;
  plan.wake(base::Time(std::chrono::seconds(9)));
  plan.wake(base::Time(std::chrono::seconds(5)));
  plan.wake(base::Time(std::chrono::seconds(7)));
  EXPECT_EQ(plan.look_again, base::Time(std::chrono::seconds(5)));
}

}  // namespace
}  // namespace orchion::control::controllers
