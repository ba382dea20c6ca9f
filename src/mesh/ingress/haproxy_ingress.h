#pragma once

#include <memory>
#include <mutex>

#include "base/worker_pool.h"
#include "mesh/ingress/haproxy.h"

namespace orchion::mesh::ingress {

// Routes by HAProxy, which goes on when this ends.
class HaproxyIngress final : public Ingress {
 public:
  struct Options {
    std::string http = "0.0.0.0:80";
    std::string https = "0.0.0.0:443";
    std::filesystem::path folder;  // its own, in memory and forgotten at boot
  };

  // Finds the program and looks whether it could listen, where none of ours does already. kFailedPrecondition: what is
  // to be installed, or in the way. Blocks. `workers` outlives it.
  static base::Result<std::unique_ptr<HaproxyIngress>> open(Options options, base::WorkerPool& workers);

  base::Co<bool> apply(std::vector<RoutedService> services) override;
  base::Co<bool> is_up() override;
  v1::IngressInfo info() const override;

 private:
  HaproxyIngress(HaproxySettings settings, std::string program, std::string engine, base::WorkerPool& workers);

  const HaproxySettings settings_;
  const std::string engine_;
  base::WorkerPool& workers_;
  std::shared_ptr<Haproxy> haproxy_;
  mutable std::mutex mutex_;
  std::string problem_;  // of the last apply; by the mutex
};

// Ends one that an earlier process left in the folder. Blocks.
base::Result<> end_haproxy(const std::filesystem::path& folder);

}  // namespace orchion::mesh::ingress
