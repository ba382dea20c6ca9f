#include "control/store/sqlite/sqlite_store.h"

#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "control/store/conformance/store_conformance.h"

namespace orchion::control::store {
namespace {
class SqliteStoreFactory final : public StoreFactory {
 public:
  SqliteStoreFactory() {
    auto random = base::Random::from_system();
    folder_ = std::filesystem::temp_directory_path() / ("orchion-store-" + random.text(12));
  }
  ~SqliteStoreFactory() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> open(boost::asio::io_context& io, HistoryLimits history) override {
    const auto path = folder_ / (std::to_string(++opened_) + ".db");
    auto store = SqliteStore::open(io.get_executor(), path, {.history = history, .vfs = ""});
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }

 private:
  std::filesystem::path folder_;
  int opened_ = 0;
};

std::unique_ptr<StoreFactory> make_sqlite_factory() {
  return std::make_unique<SqliteStoreFactory>();
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(make_sqlite_factory));

}  // namespace
}  // namespace orchion::control::store
