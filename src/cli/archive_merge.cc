#include "cli/archive_merge.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/core.h>
#include <boost/json.hpp>

namespace orchion::cli {

namespace {

namespace json = boost::json;

constexpr std::int64_t kBlock = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kSizeAt = 124, kSizeBytes = 12;
constexpr std::size_t kChecksumAt = 148, kChecksumBytes = 8;
constexpr std::size_t kTypeAt = 156;

std::unexpected<base::Error> damaged() {
  return base::fail(base::Code::kDataLoss, "the archive was cut off or damaged on its way: save the image again");
}

std::int64_t padding_of(std::int64_t size) {
  return (kBlock - size % kBlock) % kBlock;
}

std::string zeros(std::int64_t bytes) {
  return std::string(static_cast<std::size_t>(bytes), '\0');
}

base::Result<std::int64_t> size_in(const std::string& header) {
  std::int64_t size = 0;
  const auto* field = header.data() + kSizeAt;
  // Files too large for octal digits have it in binary.
  if (static_cast<unsigned char>(*field) == 0x80) {
    for (std::size_t i = 4; i < kSizeBytes; ++i) size = size << 8 | static_cast<unsigned char>(field[i]);
    return size < 0 ? damaged() : base::Result<std::int64_t>(size);
  }
  while (*field == ' ') ++field;
  const auto read = std::from_chars(field, header.data() + kSizeAt + kSizeBytes, size, 8);
  if (read.ec != std::errc() || size < 0) return damaged();
  return size;
}

std::string with_size(std::string header, std::int64_t size) {
  header.replace(kSizeAt, kSizeBytes, fmt::format("{:011o}", size) + '\0');
  // The sum is taken with blanks in its own place.
  header.replace(kChecksumAt, kChecksumBytes, kChecksumBytes, ' ');
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(kChecksumAt, kChecksumBytes, fmt::format("{:06o}", sum) + '\0' + ' ');
  return header;
}

base::Result<json::value> parse(const std::string& text) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error) return damaged();
  return value;
}

// The first one's document with the images of all.
base::Result<std::string> merged(const std::vector<std::string>& texts) {
  ASSIGN_OR_RETURN(auto all, parse(texts.front()));
  auto* list = all.is_array() ? &all.get_array() : nullptr;
  if (all.is_object() && all.get_object()["manifests"].is_array()) list = &all.get_object()["manifests"].get_array();
  if (list == nullptr) return damaged();
  for (std::size_t i = 1; i < texts.size(); ++i) {
    ASSIGN_OR_RETURN(auto more, parse(texts[i]));
    if (more.is_object()) more = json::value(more.get_object()["manifests"]);
    if (!more.is_array()) return damaged();
    for (auto& image : more.get_array()) list->push_back(std::move(image));
  }
  return json::serialize(all);
}

}  // namespace

base::Result<std::string> ArchiveMerge::take_header() {
  const auto header = std::exchange(header_, {});
  if (std::ranges::all_of(header, [](char c) { return c == '\0'; })) {
    ended_ = true;
    return "";
  }
  ASSIGN_OR_RETURN(content_, size_in(header));
  padding_ = padding_of(content_);
  const char type = header[kTypeAt];
  extends_ = type == 'x' || type == 'g' || type == 'L' || type == 'K';
  if (extends_) {
    extension_ += header;
    return "";
  }
  const auto name = header.substr(0, std::min(header.find('\0'), kNameBytes));
  const auto extension = std::exchange(extension_, {});
  fate_ = Fate::kSkip;
  if (name == "index.json" || name == "manifest.json") {
    auto& document = documents_[name];
    if (document.header.empty()) document.header = header;
    fate_ = Fate::kKeep;
    kept_ = &document.texts.emplace_back();
  } else if (name != "repositories" && seen_.insert(extension + name).second) {
    fate_ = Fate::kPass;
    return extension + header;
  }
  return "";
}

std::string ArchiveMerge::take_content(std::string_view& piece) {
  std::string out;
  for (auto* left : {&content_, &padding_}) {
    const auto taken = std::min<std::int64_t>(*left, static_cast<std::int64_t>(piece.size()));
    const auto bytes = piece.substr(0, static_cast<std::size_t>(taken));
    piece.remove_prefix(bytes.size());
    *left -= taken;
    if (extends_) extension_ += bytes;
    if (extends_) continue;
    if (fate_ == Fate::kPass) out += bytes;
    if (fate_ == Fate::kKeep && left == &content_) *kept_ += bytes;
  }
  return out;
}

base::Result<std::string> ArchiveMerge::pass(std::string_view piece) {
  std::string out;
  while (!piece.empty() && !ended_) {
    if (content_ > 0 || padding_ > 0) {
      out += take_content(piece);
      continue;
    }
    const auto taken = std::min(piece.size(), static_cast<std::size_t>(kBlock) - header_.size());
    header_ += piece.substr(0, taken);
    piece.remove_prefix(taken);
    if (header_.size() < static_cast<std::size_t>(kBlock)) break;
    ASSIGN_OR_RETURN(const auto bytes, take_header());
    out += bytes;
  }
  return out;
}

base::Result<> ArchiveMerge::end_one() {
  if (!std::exchange(ended_, false)) return damaged();
  return {};
}

base::Result<std::string> ArchiveMerge::finish() {
  std::string out;
  for (const auto& [name, document] : documents_) {
    ASSIGN_OR_RETURN(const auto text, merged(document.texts));
    const auto size = static_cast<std::int64_t>(text.size());
    out += with_size(document.header, size) + text + zeros(padding_of(size));
  }
  return out + zeros(2 * kBlock);
}

}  // namespace orchion::cli
