#pragma once

// The images of a container engine.

#include <map>
#include <memory>
#include <string>

#include "base/notifier.h"
#include "node/engine/engine_client.h"
#include "node/images/images.h"

namespace orchion::node::images::engine {

// What ImageRecord.digest names is the engine's id of the image, which its runtime starts containers of. One executor;
// `clock` and `own` outlive it. Equal concurrent calls of ensure() and pull() do the work once.
class EngineImages final : public ImageSource {
 public:
  // `own` is asked before any registry: what was imported or built here is nowhere else.
  EngineImages(base::Executor executor, base::Clock& clock, std::filesystem::path socket, Images& own);
  ~EngineImages() override;

  base::Co<ImageRecord> ensure(std::string reference) override;
  base::Co<std::optional<ImageRecord>> find(std::string reference) override;
  base::Co<ImageRecord> pull(std::string reference) override;
  base::Co<std::shared_ptr<ByteSource>> save(std::string reference) override;

 private:
  // Keeps others out while one fetches a reference.
  struct Fetch;

  base::Co<std::unique_ptr<Fetch>> begin(std::string normal);
  base::Co<std::optional<ImageRecord>> find_normal(std::string normal);
  base::Co<std::optional<ImageRecord>> load_own(std::string normal);
  base::Co<ImageRecord> pull_normal(std::string normal);

  std::shared_ptr<node::engine::EngineClient> client_;
  Images& own_;
  // Shared with what is still under way when this is destroyed.
  std::shared_ptr<std::map<std::string, std::shared_ptr<base::Notifier>>> fetches_;
  base::Executor executor_;
};

}  // namespace orchion::node::images::engine
