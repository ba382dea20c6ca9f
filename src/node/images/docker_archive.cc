#include "node/images/docker_archive.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "node/images/digest.h"
#include "node/images/image_export.h"

namespace orchion::node::images {

namespace {

using base::Co;
using base::Code;
using base::Result;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kSizeAt = 124, kSizeBytes = 12;

std::int64_t padded(std::int64_t size) {
  constexpr auto block = static_cast<std::int64_t>(kBlock);
  return (size + block - 1) / block * block;
}

std::unexpected<base::Error> damaged() {
  return base::fail(Code::kDataLoss, "the stored image cannot be read: remove it and fetch it again");
}

std::string blob_name(const std::string& digest) {
  return "blobs/sha256/" + digest_hex(digest);
}

}  // namespace

Result<> DockerArchiveMaker::begin_entry() {
  const auto name = header_.substr(0, std::min(header_.find('\0'), kNameBytes));
  auto size = header_.substr(kSizeAt, kSizeBytes);
  size.erase(std::min(size.find_first_of(std::string_view(" \0", 2)), size.size()));
  const auto read = std::from_chars(size.data(), size.data() + size.size(), content_, 8);
  if (read.ec != std::errc() || content_ < 0) return damaged();
  left_ = padded(content_);
  kept_ = nullptr;
  if (content_ > static_cast<std::int64_t>(kDocumentBytesMax)) return {};
  if (name == "index.json") kept_ = &index_;
  if (!manifest_name_.empty() && name == manifest_name_) kept_ = &manifest_;
  return {};
}

Result<std::string> DockerArchiveMaker::pass(std::string_view piece) {
  std::string out;
  while (!piece.empty()) {
    if (ended_) {
      out += piece;
      break;
    }
    if (left_ > 0) {
      const auto taken = std::min(piece.size(), static_cast<std::size_t>(left_));
      const auto content = std::min(taken, static_cast<std::size_t>(content_));
      if (kept_ != nullptr) kept_->append(piece.substr(0, content));
      content_ -= static_cast<std::int64_t>(content);
      left_ -= static_cast<std::int64_t>(taken);
      out += piece.substr(0, taken);
      piece.remove_prefix(taken);
      if (left_ == 0 && kept_ == &index_) {
        ASSIGN_OR_RETURN(const auto entries, parse_index(index_));
        if (entries.size() != 1) return damaged();
        manifest_name_ = blob_name(entries.front().manifest.digest);
      }
      continue;
    }
    const auto taken = std::min(piece.size(), kBlock - header_.size());
    header_ += piece.substr(0, taken);
    piece.remove_prefix(taken);
    if (header_.size() < kBlock) break;
    ended_ = std::all_of(header_.begin(), header_.end(), [](char c) { return c == '\0'; });
    if (ended_) {
      ASSIGN_OR_RETURN(const auto entry, manifest_entry());
      out += entry;
    } else {
      RETURN_IF_ERROR(begin_entry());
    }
    out += header_;
    header_.clear();
  }
  return out;
}

// No character of a digest or a tag needs an escape in JSON.
Result<std::string> DockerArchiveMaker::manifest_entry() {
  ASSIGN_OR_RETURN(const auto manifest, parse_manifest(manifest_));
  config_digest_ = manifest.config.digest;
  std::string layers;
  for (const auto& layer : manifest.layers)
    layers += fmt::format("{}\"{}\"", layers.empty() ? "" : ",", blob_name(layer.digest));
  const auto tags = tag_.empty() ? std::string() : fmt::format("\"{}\"", tag_);
  const auto text =
      fmt::format(R"([{{"Config":"{}","RepoTags":[{}],"Layers":[{}]}}])", blob_name(config_digest_), tags, layers);
  const auto size = static_cast<std::int64_t>(text.size());
  return tar_header("manifest.json", size) + text + std::string(static_cast<std::size_t>(padded(size) - size), '\0');
}

Co<std::optional<std::string>> DockerArchive::read() {
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto piece, co_await source_->read());
    if (!piece) co_return std::optional<std::string>();
    CO_ASSIGN_OR_RETURN(auto out, maker_.pass(*piece));
    if (!out.empty()) co_return std::optional<std::string>(std::move(out));
  }
}

}  // namespace orchion::node::images
