#include "node/images/fake_images.h"

#include <fmt/core.h>

#include "core/image_reference.h"
#include "node/images/digest.h"

namespace orchion::node::images {

namespace {

ImageRecord make_record(const std::string& reference, const std::string& content, ImageConfig config) {
  ImageRecord record;
  record.reference = reference;
  record.digest = digest_of(content);
  record.pin = record.digest;
  record.architecture = "amd64";
  record.size_bytes = static_cast<std::int64_t>(content.size());
  record.layers = {"/layers/" + digest_hex(record.digest)};
  record.config = std::move(config);
  return record;
}

// By its name, or by the digest that the name has.
const ImageRecord* look_up(const std::map<std::string, ImageRecord>& all, const std::string& name) {
  if (const auto found = all.find(name); found != all.end()) return &found->second;
  const auto wanted = core::parse_image_reference(name);
  for (const auto& [known, image] : all) {
    const auto reference = core::parse_image_reference(known);
    if (wanted && reference && !wanted->digest.empty() && reference->name() == wanted->name() &&
        is_pinned_to(image, wanted->digest))
      return &image;
  }
  return nullptr;
}

}  // namespace

ImageRecord FakeImages::add_to_registry(const std::string& reference, ImageConfig config) {
  const auto name = core::normalise_image(reference).value();
  return registry_[name] = make_record(name, name, std::move(config));
}

base::Co<ImageRecord> FakeImages::ensure(std::string reference) {
  CO_ASSIGN_OR_RETURN(auto present, co_await find(reference));
  if (present) co_return *std::move(present);
  co_return co_await pull(std::move(reference));
}

base::Co<std::optional<ImageRecord>> FakeImages::find(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  const auto* found = look_up(present_, name);
  co_return found == nullptr ? std::nullopt : std::optional(*found);
}

base::Co<ImageRecord> FakeImages::pull(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  ++pulls_;
  if (pull_error_) co_return std::unexpected(*pull_error_);
  const auto* found = look_up(registry_, name);
  if (found == nullptr)
    co_return base::fail(base::Code::kNotFound, fmt::format("no registry has {0}: check the name, or import it with "
                                                            "`orchion image import FILE {0}`",
                                                            name));
  co_return present_[name] = *found;
}

base::Co<> FakeImages::push(std::string reference, std::string destination, bool) {
  CO_ASSIGN_OR_RETURN(const auto target, core::normalise_image(destination));
  CO_ASSIGN_OR_RETURN(auto image, co_await find(reference));
  if (!image) co_return base::fail(base::Code::kNotFound, fmt::format("there is no image {} on this node", reference));
  image->reference = target;
  registry_[target] = *std::move(image);
  co_return base::Result<>{};
}

base::Co<ImageRecord> FakeImages::import(std::string name, std::shared_ptr<ByteSource> archive) {
  CO_ASSIGN_OR_RETURN(const auto reference, core::normalise_image(name));
  std::string content;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await archive->read());
    if (!piece) break;
    content += *piece;
  }
  contents_[reference] = content;
  // What came from another node's registry is what this one's has.
  const auto known = registry_.find(reference);
  const bool same = known != registry_.end() && known->second.digest == digest_of(content);
  co_return present_[reference] = same ? known->second : make_record(reference, content, {});
}

namespace {

class OnePiece final : public ByteSource {
 public:
  explicit OnePiece(std::string piece) : piece_(std::move(piece)) {}
  base::Co<std::optional<std::string>> read() override { co_return std::exchange(piece_, std::nullopt); }

 private:
  std::optional<std::string> piece_;
};

}  // namespace

base::Co<std::shared_ptr<ByteSource>> FakeImages::export_image(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto image, co_await find(reference));
  if (!image) co_return base::fail(base::Code::kNotFound, fmt::format("there is no image {} on this node", reference));
  const auto imported = contents_.find(image->reference);
  std::shared_ptr<ByteSource> archive =
      std::make_shared<OnePiece>(imported == contents_.end() ? image->reference : imported->second);
  co_return archive;
}

base::Co<std::shared_ptr<ByteSource>> FakeImages::save(std::string reference) {
  return export_image(std::move(reference));
}

base::Co<ImageRecord> FakeImages::tag(std::string reference, std::string name) {
  CO_ASSIGN_OR_RETURN(auto image, co_await find(reference));
  if (!image) co_return base::fail(base::Code::kNotFound, fmt::format("there is no image {} on this node", reference));
  CO_ASSIGN_OR_RETURN(image->reference, core::normalise_image(name));
  co_return present_[image->reference] = *image;
}

base::Co<std::vector<ImageRecord>> FakeImages::list() {
  std::vector<ImageRecord> result;
  for (const auto& [name, image] : present_) result.push_back(image);
  co_return result;
}

base::Co<> FakeImages::remove(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto image, co_await find(reference));
  if (!image) co_return base::fail(base::Code::kNotFound, fmt::format("there is no image {} on this node", reference));
  if (is_used(*image))
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("the image {} is used by a task: stop what runs from it first", reference));
  present_.erase(image->reference);
  co_return base::Result<>{};
}

base::Co<Images::Pruned> FakeImages::prune() {
  Pruned pruned;
  for (auto it = present_.begin(); it != present_.end();) {
    if (is_used(it->second)) {
      ++it;
      continue;
    }
    pruned.references.push_back(it->first);
    pruned.freed_bytes += it->second.size_bytes;
    it = present_.erase(it);
  }
  co_return pruned;
}

void FakeImages::set_used(std::vector<std::string> references) {
  used_.clear();
  for (const auto& reference : references) used_.insert(core::normalise_image(reference).value_or(reference));
}

bool FakeImages::is_used(const ImageRecord& image) const {
  return used_.contains(image.reference) || used_.contains(image.digest);
}

}  // namespace orchion::node::images
