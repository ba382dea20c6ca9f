#pragma once

// An image of the store as an OCI layout in a tar: what import_archive() reads.

#include <deque>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/worker_pool.h"
#include "node/images/content_store.h"
#include "node/images/images.h"

namespace orchion::node::images {

// The header of a regular file in a tar (ustar), 512 bytes. `name` has 100 characters at most (asserted). Pure.
// Source: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
std::string tar_header(std::string_view name, std::int64_t size);

// Reads the blobs as it is read, a piece at a time: an image of any size takes the memory of one piece. What it reads
// isn't collected meanwhile. `workers` outlives it.
class ImageExport final : public ByteSource {
 public:
  // Blocks for a small file. kNotFound: there is no such image.
  static base::Result<std::shared_ptr<ImageExport>> open(std::shared_ptr<ContentStore> store,
                                                         const std::string& reference, base::WorkerPool& workers);

  base::Co<std::optional<std::string>> read() override;

 private:
  // Bytes as they are, then a file where there is one, then zeros.
  struct Part {
    std::string bytes;
    std::filesystem::path file;
    std::int64_t size = 0;
  };
  struct State {
    explicit State(std::shared_ptr<ContentStore> store) : lease(std::move(store)) {}
    ContentStore::Lease lease;
    std::deque<Part> parts;
    base::UniqueFd open_file;  // of the first part
    std::int64_t left = 0;
    base::Result<std::optional<std::string>> next();
  };
  ImageExport(std::shared_ptr<State> state, base::WorkerPool& workers) : state_(std::move(state)), workers_(workers) {}
  static void add_bytes(State& state, std::string_view name, std::string content);
  static base::Result<> add_blob(State& state, const ContentStore& store, const std::string& digest);

  std::shared_ptr<State> state_;  // the workers hold it too
  base::WorkerPool& workers_;
};

}  // namespace orchion::node::images
