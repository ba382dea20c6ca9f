#pragma once

#include <map>
#include <set>

#include "node/images/images.h"

namespace orchion::node::images {

// In memory, for tests: has what it was told a registry has, and what was imported. Layers are paths that don't
// exist. One executor, like the real one.
class FakeImages final : public Images {
 public:
  // Makes a registry have the image; returns what a pull will give.
  ImageRecord add_to_registry(const std::string& reference, ImageConfig config = {});

  // From now on every pull fails with this; nullopt: no more.
  void fail_pulls(std::optional<base::Error> error) { pull_error_ = std::move(error); }

  int pulls() const { return pulls_; }

  base::Co<ImageRecord> ensure(std::string reference) override;
  base::Co<std::optional<ImageRecord>> find(std::string reference) override;
  base::Co<ImageRecord> pull(std::string reference) override;
  base::Co<> push(std::string reference, std::string destination, bool plain_http) override;
  base::Co<ImageRecord> import(std::string name, std::shared_ptr<ByteSource> archive) override;
  base::Co<std::shared_ptr<ByteSource>> export_image(std::string reference) override;
  base::Co<std::shared_ptr<ByteSource>> save(std::string reference) override;
  base::Co<ImageRecord> tag(std::string reference, std::string name) override;
  base::Co<std::vector<ImageRecord>> list() override;
  base::Co<> remove(std::string reference) override;
  base::Co<Pruned> prune() override;
  void set_used(std::vector<std::string> references) override;
  PullBoard& pull_board() override { return board_; }

 private:
  bool is_used(const ImageRecord& image) const;

  std::map<std::string, ImageRecord> registry_;
  std::map<std::string, ImageRecord> present_;
  std::map<std::string, std::string> contents_;  // of what was imported, by reference
  std::set<std::string> used_;
  std::optional<base::Error> pull_error_;
  int pulls_ = 0;
  PullBoard board_;
};

}  // namespace orchion::node::images
