#include "control/store/memory/memory_store.h"

#include "control/store/conformance/store_conformance.h"

namespace orchion::control::store {
namespace {

class MemoryStoreFactory final : public StoreFactory {
 public:
  std::unique_ptr<Store> open(base::Executor executor, HistoryLimits history) override {
    return std::make_unique<MemoryStore>(executor, "epoch" + std::to_string(++opened_), history);
  }

 private:
  int opened_ = 0;
};

std::unique_ptr<StoreFactory> make_memory_factory() {
  return std::make_unique<MemoryStoreFactory>();
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, testing::Values(make_memory_factory));

}  // namespace
}  // namespace orchion::control::store
